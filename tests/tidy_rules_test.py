#!/usr/bin/env python3
# tests/tidy_test.py notices each breach. Method: a small tidy tree, then the same tree with one
# thing wrong, for every rule; what it prints must name the rule.
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
import tidy_test  # noqa: E402 (the line above must come first)

TIDY = {
    "CMakeLists.txt": "# The build.\n",
    "Makefile": "# Commands.\nall:\n\tcmake\n",
    "src/CMakeLists.txt": "# Rooms.\novenbird_room(base NEEDS x::y ${Z})\n"
                          "ovenbird_room(session SEES base NEEDS x::y)\n",
    "src/base/size.h": "// A size.\n#pragma once\n",
    "src/session/slot.h": "// A slot.\n#pragma once\n#include \"base/size.h\"\n",
    "src/session/slot.cc": "// Slots.\n#include \"session/slot.h\"\n\n#include <vector>\n",
    "tests/slot_test.cc": "// Slots.\nTEST_CASE(\"a slot\") {\n}\n",
    "tests/run.py": "# Runs.\n",
    "tools/npu-report": "#!/usr/bin/env python3\n# Reports.\n",
    "docs/ARCHITECTURE.md": "| `src/base/` | sizes | - |\n| `src/session/` | slots | base |\n"
                            "See [the map](MAP.md).\n",
    "docs/MAP.md": "| `CMakeLists.txt` | a |\n| `Makefile` | a |\n| `src/CMakeLists.txt` | a |\n"
                   "| `src/base/size.h` | a |\n| `src/session/slot.{h,cc}` | a |\n"
                   "| `tests/slot_test.cc` | a |\n| `tests/run.py` | a |\n"
                   "| `tools/npu-report` | a |\n",
}

LONG_FUNCTION = "int f(\n    int a) {\n" + "  if (a) {\n  }\n" * 31 + "}\n"
SHORT_FUNCTIONS = "int f(int a) {\n  return a;\n}\n" * 40

# File, what is put at its end, and what must be said; None = nothing.
BREACHES = [
    ("src/session/slot.cc", SHORT_FUNCTIONS, None),
    ("src/session/slot.cc", "const char* t = \"// TO" "DO {\";\n", "finish it or write an issue"),
    ("src/session/slot.cc", "// T" "ODO: more\n", "finish it or write an issue"),
    ("src/session/slot.cc", "//" + "x" * 100 + "\n", "longer than 100 columns"),
    ("src/session/slot.cc", "//\n" * 400, "more than 400 lines"),
    ("src/session/slot.cc", LONG_FUNCTION, "function longer than 60 lines"),
    ("src/session/slot.cc", "// \xe9\n", "not ASCII"),
    ("src/session/slot.cc", "int a; \n", "white space at the end"),
    ("src/session/slot.cc", "// /home" "/anna/models\n", "a path of one machine"),
    ("src/session/slot.cc", "// ~/models, $HOME/work/x, a/work/b\n", None),
    ("src/session/slot.cc", "#include <openvino/core.hpp>\n", "OpenVINO stays behind"),
    ("src/session/slot.cc", "#include \"bake/step_graph.h\"\n", "OpenVINO stays behind"),
    ("src/session/slot.cc", "#include <nlohmann/json.hpp>\n", "JSON stays in"),
    ("src/session/slot.cc", "void f() { std::printf(\"x\"); }\n", "a library does not print"),
    ("src/session/slot.cc", "// std::printf(\"x\")\n", None),
    ("src/session/slot.cc", "std::regex r;\n", "std::regex"),
    ("src/session/slot.cc", "void f() { try {} catch (...) {} }\n", "catch exceptions by type"),
    ("src/session/slot.cc", "void f() { OVENBIRD_CHECK(true); }\n", None),
    ("src/base/size.h", "void f() { OVENBIRD_CHECK(true); }\n", "return kInternal"),
    ("src/base/size.h", "#include \"session/slot.h\"\n", "base may not see session"),
    ("tests/slot_test.cc", "void f() { std::printf(\"x\"); }\n", None),
    ("tests/run.py", "def f():\n" + "    pass\n" * 61, "function longer than 60 lines"),
    ("tools/npu-report", "def f():\n" + "    pass\n" * 61, "function longer than 60 lines"),
    ("docs/ARCHITECTURE.md", "[x](GONE.md)\n", "leads nowhere"),
    ("docs/ARCHITECTURE.md", "| `src/wire/` | bytes | - |\n", "differ about wire"),
    ("docs/MAP.md", "| `src/gone.h` | a |\n", "src/gone.h does not exist"),
    ("docs/MAP.md", "| `Makefile` | a |\n", "stands 2 times"),
]

# A file that is new or replaced, and what must be said.
WRONG_FILES = [
    ("src/base/utils.h", "// Things.\n#pragma once\n", "a name that says nothing"),
    ("src/base/new.h", "// New.\n#pragma once\n", "stands 0 times in docs/MAP.md"),
    ("src/wire/new.h", "// New.\n#pragma once\n", "the room wire is not in it"),
    ("src/base/size.h", "#pragma once\n", "the first line says what this file is for"),
    ("src/base/size.h", "// A size.\n", "a header says #pragma once"),
    ("src/session/slot.cc", "// Slots.\n#include <vector>\n#include \"session/slot.h\"\n",
     "its own header comes first"),
    ("tests/slot_test.cc", "// Slots.\n", "files with test cases are named *_test.cc"),
]


def problems_of(files: dict[str, str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        tree = tidy_test.Tree(root)
        tidy_test.check(tree)
        return tree.problems


def main() -> int:
    cases = [(name, TIDY[name] + added, rule) for name, added, rule in BREACHES] + WRONG_FILES
    failures = [f"the tidy tree: {line}" for line in problems_of(TIDY)]
    for name, text, rule in cases:
        problems = problems_of({**TIDY, name: text})
        if rule is None and problems or rule and not any(rule in line for line in problems):
            failures.append(f"{name}: wanted {rule!r}, got {problems}")
    print("\n".join(failures) or f"{len(cases)} breaches, each noticed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
