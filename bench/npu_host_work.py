#!/usr/bin/env python3
# What the host does for one token on an NPU: Ovenbird next to OpenVINO GenAI's pipeline for NPUs,
# both on the emulated driver of testing/npu_emulator, which writes down every call. Prints a
# Markdown table of counts and bytes, the same on every machine, and of times to load, which are
# those of the CPU plugin behind the emulated driver. Set-up and columns: README.md in this folder.
#
#     npu_host_work.py --bundle DIR --genai-model DIR --peers-python PATH [--json OUT]
import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import npu_trace
from programs import HERE, last_json, random_ids, run

PLANS = {"ovenbird cached": ["--plan", "cached", "--recipe", "balanced"],
         "ovenbird window": ["--plan", "window"]}
NEVER = -100  # added to the logit of an end token

# Figure of the JSON -> its row in the table, in two parts.
MEANING_ONCE = {
    "graphs": "graphs compiled",
    "first_start_s": "start to end of a process that says two tokens, s",
    "next_start_s": "the same, with compiled graphs cached, s",
    "device_peak_mib": "memory that the device holds at most, MiB",
    "prompt_submissions": "submissions until the first token",
    "prompt_rebinds": "arguments bound to another address until then",
}
MEANING = {
    "submissions": "submissions",
    "executions": "graphs executed",
    "rebinds": "arguments bound to another address",
    "imports": "memory imported, times",
    "frees_of_imports": "imported memory given back, times",
    "host_wrote_bytes": "bytes of inputs that the host changed",
    "allocated_output_bytes": "bytes of outputs in the driver's memory",
    "imported_output_bytes": "bytes of outputs in imported memory",
}


class Runner:
    """Starts one program on the emulated driver, again and again, each time with a fresh trace."""

    def __init__(self, asked, folder):
        self.asked = asked
        self.folder = Path(folder)
        self.prompt = random_ids(asked.prompt_tokens, seed=1)

    def env(self, trace, with_writes):
        env = dict(os.environ, NPU_EMULATOR_TRACE=str(trace), NPU_EMULATOR_RULES=self.asked.rules)
        env["LD_LIBRARY_PATH"] = os.path.abspath(self.asked.emulator)
        env["NPU_EMULATOR_TRACE_WRITES"] = "yes" if with_writes else "no"
        return env

    def command(self, name, max_tokens, cache):
        """`cache`: a folder for compiled graphs. GenAI keeps none by default, so it may be None."""
        if name == "genai":
            request = {"task": "npu", "model": self.asked.genai_model, "prompt": self.prompt,
                       "max_tokens": max_tokens,
                       "properties": {"CACHE_DIR": str(cache)} if cache else {}}
            return [self.asked.peers_python, str(HERE / "genai_child.py"), json.dumps(request)]
        end_tokens = [f"--logit-bias={id}={NEVER}" for id in end_ids(self.asked.bundle)]
        return [self.asked.ovenbird, "run", str(self.bundle_at(cache)), "--ids",
                ",".join(map(str, self.prompt)), "--max-tokens", str(max_tokens), "--device", "NPU",
                "--no-fallback", "--draft", "off", "--json", *PLANS[name], *end_tokens]

    def bundle_at(self, cache):
        """A copy of the bundle, whose blob cache is `cache`'s alone."""
        if not cache:
            return self.asked.bundle
        if not cache.exists():
            shutil.copytree(self.asked.bundle, cache, ignore=shutil.ignore_patterns("cache"))
        return cache

    def run(self, name, max_tokens, cache=None, with_writes=False):
        """The finished process and what its trace says."""
        trace = self.folder / f"{name} {max_tokens} {len(list(self.folder.iterdir()))}.jsonl"
        finished = run(self.command(name, max_tokens, cache), self.env(trace, with_writes))
        ids = last_json(finished.out)["ids"]
        if len(ids) != max_tokens:
            raise RuntimeError(f"{name}: asked for {max_tokens} tokens, got {len(ids)}")
        return finished, npu_trace.read(trace), ids

    def figures(self, name):
        first, again = [], []
        for turn in range(self.asked.starts):
            cache = self.folder / f"cache {turn} of {name}"
            finished, loaded, _ = self.run(name, 2, cache)  # the second may need another graph
            first.append(finished.seconds)
            finished, _, _ = self.run(name, 2, cache)
            again.append(finished.seconds)
        _, prompt, _ = self.run(name, 1, cache)
        tokens = self.asked.tokens
        _, shorter, _ = self.run(name, tokens, cache, with_writes=True)
        _, longer, ids = self.run(name, 2 * tokens, cache, with_writes=True)
        return {"graphs": loaded.graphs, "compile_ms": loaded.compile_ms,
                "first_start_s": min(first), "next_start_s": min(again),
                "all_starts_s": [first, again],
                "device_peak_mib": longer.peak_bytes / 2**20,
                "prompt_submissions": prompt.counts["submissions"],
                "prompt_rebinds": prompt.counts["rebinds"],
                "per_token": npu_trace.per_token(shorter, longer, tokens),
                "executions_by_graph": dict(longer.executions_by_graph),
                "whole_run": dict(longer.counts), "unsupported": sorted(longer.unsupported),
                "ids": ids}


def end_ids(bundle):
    """The end tokens that the bundle's own files name."""
    ids = set()
    for name in ("config.json", "generation_config.json"):
        path = Path(bundle) / name
        named = json.loads(path.read_text()).get("eos_token_id") if path.exists() else None
        ids.update(named if isinstance(named, list) else [] if named is None else [named])
    return sorted(ids)


def table(figures):
    lines = ["| | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for key, meaning in MEANING_ONCE.items():
        lines.append(row(meaning, [one[key] for one in figures.values()]))
    lines.append("| **for each decoded token** |" + " |" * len(figures))
    for key, meaning in MEANING.items():
        lines.append(row(meaning, [one["per_token"].get(key, 0) for one in figures.values()]))
    return "\n".join(lines)


def row(meaning, values):
    return "| " + " | ".join([meaning, *map(shown, values)]) + " |"


def shown(value):
    """1234567.0 -> 1,234,567; 2.345 -> 2.35; 3.0 -> 3."""
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.2f}"


def arguments():
    parser = argparse.ArgumentParser(description="Counts what the host does for a token.")
    parser.add_argument("--bundle", help="of `ovenbird bake`, for an NPU")
    parser.add_argument("--genai-model", help="of export_peer_model.py: its folder `openvino`")
    parser.add_argument("--ovenbird", default="build/release/bin/ovenbird")
    parser.add_argument("--peers-python", default=sys.executable,
                        help="an interpreter that has openvino-genai")
    parser.add_argument("--emulator", default="build/release/npu_emulator",
                        help="the folder of libze_loader.so.1")
    parser.add_argument("--rules", choices=("strict", "none"), default="strict",
                        help="what the emulated driver refuses (default strict)")
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64,
                        help="how many tokens the longer answer is longer, and the shorter is long")
    parser.add_argument("--starts", type=int, default=3, help="of which the fastest counts")
    parser.add_argument("--only", default="ovenbird cached,ovenbird window,genai")
    parser.add_argument("--json", help="write all counts there")
    return parser.parse_args()


def main():
    asked = arguments()
    names = asked.only.split(",")
    if set(names) - {*PLANS, "genai"}:
        sys.exit(f"--only takes {', '.join(PLANS)}, genai; got {asked.only}")
    if set(names) & set(PLANS) and not asked.bundle or "genai" in names and not asked.genai_model:
        sys.exit("--bundle is needed for ovenbird, --genai-model for genai; or say --only")
    if not (Path(asked.emulator) / "libze_loader.so.1").exists():
        sys.exit(f"{asked.emulator} has no libze_loader.so.1: build it, or say --emulator")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(asked, folder)
        for name in names:
            figures[name] = runner.figures(name)
            print(f"{name}: done", file=sys.stderr, flush=True)
    print(f"{asked.prompt_tokens} tokens of prompt, answers of {asked.tokens} and "
          f"{2 * asked.tokens}; emulated driver, rules {asked.rules}\n")
    print(table(figures))
    if asked.json:
        with open(asked.json, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
