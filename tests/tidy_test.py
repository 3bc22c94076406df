#!/usr/bin/env python3
# The rules of docs/STYLE.md and docs/ARCHITECTURE.md that a machine can check. In: the tree (or the
# one that the only argument names). Out: "FILE:LINE: rule" for each breach, and exit code 1.
import ast
import pathlib
import re
import sys

COLUMNS_MAX, FILE_LINES_MAX, FUNCTION_LINES_MAX = 100, 400, 60

SOURCE_FOLDERS = ("include", "src", "apps", "tests", "testing", "bench", "tools", "scripts",
                  "cmake")
MORE_SOURCES = ("CMakeLists.txt", "Makefile", ".ci/run", "tools/npu-report")
CPP = (".cc", ".h", ".hpp")
SCRIPTS = (".py", ".sh", ".cmake")

# Border 1: OpenVINO is seen by the graph builder and behind the engine's interface.
MAY_SEE_OPENVINO = {
    "src/bake/bake.cc", "src/bake/bundle_graphs.cc", "src/bake/bundle_graphs.h",
    "src/bake/graph_ops.h", "src/bake/import.cc", "src/bake/import_attention.h",
    "src/bake/import_graph.cc", "src/bake/import_graph.h", "src/bake/import_probe.cc",
    "src/bake/import_probe.h", "src/bake/import_weights.cc", "src/bake/ir_writer.cc",
    "src/bake/ir_writer.h", "src/bake/layer_runner.cc", "src/bake/layer_runner.h",
    "src/bake/step_graph.cc", "src/bake/step_graph.h", "src/engine/device_properties.cc",
    "src/engine/device_properties.h", "src/engine/device_tensors.cc",
    "src/engine/device_tensors.h", "src/engine/graph_loader.cc", "src/engine/graph_loader.h",
    "src/engine/npu_self_test.cc",
    "src/engine/openvino_core.cc", "src/engine/openvino_core.h", "src/engine/openvino_engine.cc",
    "src/engine/port_check.cc", "src/engine/port_check.h", "tests/engine/plain_openvino.cc",
    "testing/npu_emulator/src/openvino_c.h", "testing/npu_emulator/tests/compile_test.cc",
    "testing/npu_emulator/tests/half_arithmetic_test.cc",
    "testing/npu_emulator/tests/model_building.h", "testing/npu_emulator/tests/start_stop.cc",
    "testing/npu_emulator/tests/tensors_test.cc"}
# Border 3: text and JSON stay at the edges. Between them there are numbers only.
MAY_SEE_JSON = ("src/base/json.", "src/bundle/", "src/checkpoint/", "src/hub/", "src/text/",
                "apps/", "tests/", "testing/")
# Rooms that only ever run in a process of our own. The others may run inside a user's program.
MAY_ABORT = {"bake", "checkpoint", "engine", "session", "worker"}
MAY_ABORT_TOO = {"src/base/check.h",
                 "src/base/sha256.cc"}  # OpenSSL's digest fails without memory only

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.~/$}])/(work|home|root|Users)/\w")
DRAWER = re.compile(r"(utils?|common|misc|helpers?|manager)\b")
PRINTS = re.compile(r"std::c(out|err)\b|\bv?f?printf\(|\bf?puts\(|\bfwrite\(|\bputchar\(")
BLOCK_OF_TYPE = re.compile(r"(namespace|class|struct|enum|union|extern)\b")
BLOCK_OF_FLOW = re.compile(r"(else\s+)?(if|for|while|switch)\b|(else|do|try)\s*$|\}?\s*catch\b")
ENDS_SIGNATURE = re.compile(r"(\)|\bconst|\bnoexcept|\boverride|\bfinal|->\s*[\w:<>,*& ]+)$")


class Tree:
    """The files of one tree, and what was found wrong in them."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.problems: list[str] = []
        self.sources = sorted(self.find_sources())
        self.documents = sorted(self.find_documents())

    def find_sources(self):
        for name in MORE_SOURCES:
            if (self.root / name).is_file():
                yield name
        for folder in SOURCE_FOLDERS:
            for path in (self.root / folder).rglob("*"):
                wanted = path.suffix in CPP + SCRIPTS or path.name == "CMakeLists.txt"
                if wanted and path.is_file():
                    yield path.relative_to(self.root).as_posix()

    def find_documents(self):
        for path in self.root.rglob("*.md"):
            name = path.relative_to(self.root).as_posix()
            if not name.startswith(("build", ".")):
                yield name

    def text(self, name: str) -> str:
        path = self.root / name
        if not path.is_file():
            self.say(name, 1, "is missing")
            return ""
        data = path.read_bytes()
        for number, line in enumerate(data.split(b"\n"), 1):
            if not line.isascii():
                self.say(name, number, "a character that is not ASCII")
        return data.decode("ascii", errors="replace")

    def say(self, name: str, line: int, rule: str) -> None:
        self.problems.append(f"{name}:{line}: {rule}")


def check_every_source(tree: Tree, name: str, lines: list[str]) -> None:
    first = lines[1] if len(lines) > 1 and lines[0].startswith("#!") else (lines or [""])[0]
    if not first.startswith("//" if name.endswith(CPP) else ("#", '"""')):
        tree.say(name, 1, "the first line says what this file is for")
    if len(lines) > FILE_LINES_MAX:
        tree.say(name, len(lines), f"more than {FILE_LINES_MAX} lines: split by purpose")
    if DRAWER.match(name.rsplit("/", 1)[-1]):
        tree.say(name, 1, "a name that says nothing: name the one thing that is in it")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX and not name.startswith("tests/data/"):  # texts are long
            tree.say(name, number, f"longer than {COLUMNS_MAX} columns")
        if line != line.rstrip() or ("\t" in line and name != "Makefile"):
            tree.say(name, number, "a tab, or white space at the end")
        if name.startswith("tests/tidy_"):
            continue  # they spell out what they forbid
        if UNFINISHED.search(line):
            tree.say(name, number, "finish it or write an issue")
        if MACHINE_PATH.search(line):
            tree.say(name, number, "a path of one machine")


def check_python(tree: Tree, name: str, text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.end_lineno - node.lineno >= FUNCTION_LINES_MAX:
                tree.say(name, node.lineno, f"function longer than {FUNCTION_LINES_MAX} lines")


def without_texts_and_comments(text: str) -> str:
    """The same lines, with string literals and comments blanked."""
    literal = r'R"(\w*)\((?:.|\n)*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*'
    literal = r"(?<=\d)'(?=\d)|" + literal  # 100'000 is a number
    return re.sub(literal, lambda found: "\n" * found[0].count("\n") or " ", text)


def check_function_lengths(tree: Tree, name: str, code: str) -> None:
    """A block is a function if what stands before its brace ends as a signature does."""
    open_blocks: list[int | None] = []  # line of the brace; None: not a function
    statement = ""
    for number, line in enumerate(code.split("\n"), 1):
        if line.startswith("#"):
            continue
        for letter in line + " ":
            if letter == "{":
                head = statement.strip()
                is_function = (ENDS_SIGNATURE.search(head) and not BLOCK_OF_TYPE.match(head)
                               and not BLOCK_OF_FLOW.match(head))
                open_blocks.append(number if is_function else None)
            if letter == "}" and open_blocks:
                opened = open_blocks.pop()
                if opened and number - opened >= FUNCTION_LINES_MAX:
                    tree.say(name, opened, f"function longer than {FUNCTION_LINES_MAX} lines")
            statement = "" if letter in "{};" else statement + letter


def check_cpp(tree: Tree, name: str, text: str, rooms: dict[str, set[str]]) -> None:
    code = without_texts_and_comments(text)
    check_function_lengths(tree, name, code)
    check_includes(tree, name, text, rooms)
    room = name.split("/")[1] if name.startswith("src/") else None
    if name.endswith((".h", ".hpp")) and "#pragma once" not in text:
        tree.say(name, 1, "a header says #pragma once")
    for number, line in enumerate(code.split("\n"), 1):
        if room and name != "src/base/check.h" and PRINTS.search(line):
            tree.say(name, number, "a library does not print")
        if "std::regex" in line:
            tree.say(name, number, "std::regex overflows the stack: use text/pattern.h")
        if "catch (...)" in line:
            tree.say(name, number, "catch exceptions by type")
        if "OVENBIRD_CHECK(" in line and room and room not in MAY_ABORT | {None}:
            if name not in MAY_ABORT_TOO:
                tree.say(name, number, f"{room} may run in a user's process: return kInternal")


def check_includes(tree: Tree, name: str, text: str, rooms: dict[str, set[str]]) -> None:
    """Borders 1 to 3: OpenVINO, the rooms, JSON."""
    room = name.split("/")[1] if name.startswith("src/") else None
    own_header = name[len("src/"):].removesuffix(".cc") + ".h"
    included = re.findall(r'^#include ["<]([^">]+)[">]', text, re.MULTILINE)
    if name.endswith(".cc") and room and own_header in included and included[0] != own_header:
        tree.say(name, 1, "its own header comes first, so that each header proves to be whole")
    for path in included:
        number = text[:text.index(path)].count("\n") + 1
        top = path.split("/")[0]
        leaks = "src/" + path in MAY_SEE_OPENVINO and not name.startswith(
            (f"src/{top}/", f"tests/{top}/"))
        if leaks or top == "openvino" and name not in MAY_SEE_OPENVINO:
            tree.say(name, number, "OpenVINO stays behind engine/engine.h and bake/bake.h")
        if top == "nlohmann" and not name.startswith(MAY_SEE_JSON):
            tree.say(name, number, "JSON stays in bundle/, checkpoint/, hub/, text/ and apps/")
        if room and top in rooms and top != room and top not in rooms[room]:
            tree.say(name, number, f"{room} may not see {top}")
        if name.startswith("include/") and (path.count("/") or path.endswith(".h")):
            if not path.startswith("ovenbird/") and path not in ("stddef.h", "stdint.h"):
                tree.say(name, number, "a public header includes the standard library only")


def check_test_name(tree: Tree, name: str, text: str) -> None:
    if not name.startswith("tests/") or not name.endswith(".cc"):
        return
    has_cases = re.search(r"^(TEST_CASE|TEST_SUITE|SCENARIO)", text, re.MULTILINE) is not None
    if has_cases != name.endswith("_test.cc"):
        tree.say(name, 1, "files with test cases are named *_test.cc, and no others")


def read_rooms(tree: Tree) -> dict[str, set[str]]:
    """Which room may include which: the SEES lists of src/CMakeLists.txt."""
    text = tree.text("src/CMakeLists.txt")
    calls = re.findall(r"^ovenbird_room\((\w+)([^)]*)\)", text, re.MULTILINE)
    rooms = {}
    for room, words in calls:
        listed = words.split()
        end = listed.index("NEEDS") if "NEEDS" in listed else len(listed)
        rooms[room] = set(listed[:end]) - {"SEES"}
    for path in (tree.root / "src").glob("*/"):
        if path.is_dir() and path.name not in rooms:
            tree.say("src/CMakeLists.txt", 1, f"the room {path.name} is not in it")
    return rooms


def check_architecture(tree: Tree, rooms: dict[str, set[str]]) -> None:
    """The table of rooms says what the build says. A row: | `src/bake/` | holds | sees |."""
    name = "docs/ARCHITECTURE.md"
    rows = re.findall(r"^\| `src/(\w+)/` \|.*\| ([\w ]+|-) \|$", tree.text(name), re.MULTILINE)
    written = {room: set(seen.replace("-", "").split()) for room, seen in rows}
    for room in sorted(rooms.keys() | written.keys()):
        if written.get(room) != rooms.get(room):
            tree.say(name, 1, f"the table of rooms and src/CMakeLists.txt differ about {room}")


def check_map(tree: Tree) -> None:
    """docs/MAP.md lists every source once, and nothing else. `a.{h,cc}` are two files."""
    name = "docs/MAP.md"
    listed: list[str] = []
    for number, line in enumerate(tree.text(name).split("\n"), 1):
        row = re.match(r"\| `([^`]+)` \| \S", line)
        if not row:
            continue
        parts = re.match(r"(.*)\{(.*)\}(.*)", row[1])
        paths = [parts[1] + end + parts[3] for end in parts[2].split(",")] if parts else [row[1]]
        listed += paths
        for path in paths:
            if not (tree.root / path).exists():
                tree.say(name, number, f"{path} does not exist")
    for source in tree.sources:
        if listed.count(source) != 1:
            tree.say(source, 1, f"stands {listed.count(source)} times in {name}, not once")


def check_document(tree: Tree, name: str, text: str) -> None:
    folder = (tree.root / name).parent
    for number, line in enumerate(text.split("\n"), 1):
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
            if "://" not in link and not (folder / link).exists():
                tree.say(name, number, f"the link {link} leads nowhere")
        if MACHINE_PATH.search(line):
            tree.say(name, number, "a path of one machine")


def check(tree: Tree) -> None:
    rooms = read_rooms(tree)
    for name in tree.sources:
        text = tree.text(name)
        check_every_source(tree, name, text.split("\n"))
        if name.endswith(CPP):
            check_cpp(tree, name, text, rooms)
            check_test_name(tree, name, text)
        if name.endswith(".py") or "python3" in text.split("\n")[0]:
            check_python(tree, name, text)
    for name in tree.documents:
        check_document(tree, name, tree.text(name))
    check_architecture(tree, rooms)
    check_map(tree)


def main() -> int:
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1]
    tree = Tree(root.resolve())
    check(tree)
    print("\n".join(tree.problems) or f"tidy: {len(tree.sources)} sources")
    return 1 if tree.problems else 0


if __name__ == "__main__":
    sys.exit(main())
