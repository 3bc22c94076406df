#!/usr/bin/env python3
# What a bake costs, next to optimum-cli's export to INT4: time, processor time and memory, in turns
# on one checkpoint, with its files in the page cache and nothing left to write from the turn before
# (a bake ends when the disk has it; an export leaves that to the system).
#
#     bake_cost.py CHECKPOINT --peers-python PYTHON [--rounds N]
#
# PYTHON has scripts/requirements-interop.txt; without it, Ovenbird is measured alone.
import argparse
import os
import statistics
import tempfile
from pathlib import Path

from programs import run


def read_whole(folder):
    """Brings the weights into the page cache."""
    for file in Path(folder).glob("*.safetensors"):
        with file.open("rb") as stream:
            while stream.read(16 << 20):
                pass


def commands(asked, scratch):
    yield "ovenbird", [asked.ovenbird, "bake", asked.checkpoint, "-o", f"{scratch}/bundle",
                       "--force"]
    if asked.peers_python:
        optimum = Path(asked.peers_python).with_name("optimum-cli")
        yield "optimum-cli", [str(optimum), "export", "openvino", "--model", asked.checkpoint,
                              "--task", "text-generation-with-past", "--weight-format", "int4",
                              f"{scratch}/export"]


def arguments():
    parser = argparse.ArgumentParser(description="Time and memory of a bake.")
    parser.add_argument("checkpoint")
    parser.add_argument("--peers-python")
    parser.add_argument("--ovenbird", default="build/release/bin/ovenbird")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main():
    asked = arguments()
    seconds = {}
    heads = ["program", "s", "processor, s", "anonymous, MiB", "peak with mapped pages, MiB"]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(asked.rounds):
            for name, command in commands(asked, scratch):
                read_whole(asked.checkpoint)
                os.sync()
                done = run(command)
                seconds.setdefault(name, []).append(done.seconds)
                print(f"| {name} | {done.seconds:.1f} | {done.cpu_seconds:.1f} | "
                      f"{done.anonymous_mib:.0f} | {done.rss_mib:.0f} |", flush=True)
    if len(seconds) == 2:
        ratios = [peer / own for own, peer in zip(*seconds.values())]
        print(f"optimum-cli takes {min(ratios):.1f} to {max(ratios):.1f} times as long, median "
              f"{statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
