#!/usr/bin/env python3
# libovenbird.so as a program's author meets it. Method: read its table of symbols; install it, but
# not the programs, into an empty prefix; build and run programs there that know nothing of this
# tree: by find_package, by pkg-config in C, and one with an allocator of its own.
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIBRARY = "lib/libovenbird.so"
OF_GCC = {"__cxa_atexit", "__cxa_finalize", "__cxa_thread_atexit_impl"}  # the C library's
C_FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Counts what is taken from the program's operator new while the library works.
COUNTING = """
#include <ovenbird/ovenbird.h>
#include <cstdio>
#include <cstdlib>
#include <new>
static size_t calls = 0;
void* operator new(size_t bytes) { ++calls; return std::malloc(bytes); }
void operator delete(void* memory) noexcept { ++calls; std::free(memory); }
void operator delete(void* memory, size_t) noexcept { ++calls; std::free(memory); }
int main(int, char** argv) {
  ovenbird_client* client = nullptr;
  ovenbird_session* session = nullptr;
  if (ovenbird_start("/nothing/here", nullptr, &client) != OVENBIRD_NOT_FOUND) return 1;
  if (ovenbird_start(argv[1], nullptr, &client) || ovenbird_open(client, nullptr, &session) ||
      ovenbird_feed_text(session, " warm bread", OVENBIRD_TO_ZERO, 0) ||
      ovenbird_compute(session, 0)) {
    return std::fprintf(stderr, "%s\\n", ovenbird_last_error()), 1;
  }
  ovenbird_session_close(session);
  ovenbird_close(client);
  delete new int;
  std::printf("%zu\\n", calls);
}
"""


class Failed(Exception):
    """A command that should have worked, and what it said."""


def run(*command, **environment):
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          env=os.environ | environment)
    if done.returncode:
        raise Failed(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wrong_symbols(library, header):
    """Exported is what the header declares; C++ names are neither given nor wanted."""
    declared = set(re.findall(r"^OVENBIRD_API [^;]*?\b(ovenbird_\w+)\(", header.read_text("ascii"),
                              re.MULTILINE))
    defined, wanted = set(), set()
    for line in run("nm", "-D", library).splitlines():
        kind, name = line.split()[-2:]
        name = name.split("@")[0]
        if kind == "U":
            wanted.add(name)
        elif kind not in "wvA":
            defined.add(name)
    for name in sorted(declared ^ defined):
        yield f"{name} is {'declared, not exported' if name in declared else 'exported'}"
    for name in sorted(wanted - OF_GCC):
        if name.startswith(("_Z", "__cxa_", "__gxx_", "_Unwind_")):
            yield f"{name} is wanted from the program's C++ library"


def wrong_files(prefix, header):
    """What a program needs and what it takes to build one; nothing of OpenVINO, no programs."""
    wanted = {f"include/ovenbird/{path.name}" for path in header.parent.iterdir()} | {
        LIBRARY, LIBRARY + ".N", LIBRARY + ".N.N.N", "lib/pkgconfig/ovenbird.pc"} | {
        f"lib/cmake/ovenbird/ovenbird-{part}.cmake"
        for part in ("config", "config-version", "targets", "targets-BUILD")}
    found = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*") if not path.is_dir()}
    found = {re.sub(r"(?<=\.)\d+", "N", name) for name in found}
    found = {re.sub(r"(?<=targets-)\w+", "BUILD", name) for name in found}
    for name in sorted(found ^ wanted):
        yield f"{name} is {'installed' if name in found else 'not installed'}"


def wrong_answer(told, chosen, program, **environment):
    said = run(program, chosen.bundle, **environment)
    if said != chosen.expected.read_text("utf-8"):
        yield f"{told} says {said}"


def wrong_programs(chosen, prefix, folder):
    """Builds them as their authors would. They find a worker by its variable, or where it lies as
    the library sees it."""
    in_variable = {"OVENBIRD_ENGINE": str(chosen.worker)}
    run(chosen.cmake, "-S", chosen.source / "examples", "-B", folder / "outside",
        f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={chosen.c}",
        f"-DCMAKE_CXX_COMPILER={chosen.cxx}")
    run(chosen.cmake, "--build", folder / "outside", "--target", "hello")
    yield from wrong_answer("a project with find_package", chosen, folder / "outside/hello",
                            **in_variable)

    flags = run("pkg-config", "--cflags", "--libs", "ovenbird",
                PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig")).split()
    flags.append(f"-Wl,-rpath,{prefix}/lib")
    run(chosen.c, *C_FLAGS, chosen.source / "examples/hello_in_c.c", "-o", folder / "hello_in_c",
        *flags)
    yield from wrong_answer("a C program", chosen, folder / "hello_in_c", **in_variable)

    (prefix / "bin").mkdir()
    shutil.copy(chosen.worker, prefix / "bin/ovenbird-engine")
    yield from wrong_answer("with ../bin/ovenbird-engine, it", chosen, folder / "hello_in_c",
                            OVENBIRD_ENGINE="")

    (folder / "counting.cc").write_text(COUNTING, encoding="ascii")
    run(chosen.cxx, "-std=c++20", folder / "counting.cc", "-o", folder / "counting", *flags)
    calls = run(folder / "counting", chosen.bundle, **in_variable)
    if calls != "2\n":
        yield f"the program's operator new and delete were called {calls} times, not 2"


def main():
    parser = argparse.ArgumentParser()
    for name in ("source", "build", "worker", "bundle", "expected"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    for name in ("cmake", "c", "cxx"):
        parser.add_argument("--" + name, required=True)
    chosen = parser.parse_args()
    header = chosen.source / "include/ovenbird/ovenbird.h"
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prefix = folder / "prefix"
        try:
            for component in ("library", "development"):
                run(chosen.cmake, "--install", chosen.build, "--prefix", prefix, "--component",
                    component)
            failures += wrong_symbols(prefix / LIBRARY, header)
            failures += wrong_files(prefix, header)
            failures += wrong_programs(chosen, prefix, folder)
        except Failed as failed:
            failures.append(str(failed))
    print("\n".join(failures) or "the library, as installed, serves three programs")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
