#!/usr/bin/env python3
# tools/npu-report writes a whole report whatever the programs and the device do. Method: a program
# that plays ovenbird and crashes, hangs, fails, or talks nonsense, where a case says so.
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPORT = HERE.parent / "tools" / "npu-report"
GOLDEN = {
    "sequences": [{"ids": [1, 2, 3], "logprobs": [None, -1.0, -2.5]}],
    "greedy": {"prompt_ids": [7], "ids": [1, 2, 4], "margins": [0.5, 0.25, 0.125]}}
failures = []


def fake_in(folder):
    """The program, started by this very interpreter: looking for one takes longer than it runs."""
    path = folder / "ovenbird"
    code = (HERE / "fake_ovenbird.py").read_text(encoding="ascii")
    path.write_text(f"#!{sys.executable} -IS\n" + code, encoding="ascii")
    path.chmod(0o755)
    return str(path)


def check(is_so, what):
    if not is_so:
        failures.append(what)


class Case:
    """One run of npu-report, with faults, and what it left."""

    def __init__(self, name, faults, *flags, exit_code=0):
        self.name = name
        with tempfile.TemporaryDirectory() as folder:
            output = pathlib.Path(folder) / "report.json"
            for place in ("goldens/tiny/golden.json", "goldens/gguf/small.json"):
                path = output.parent / place
                path.parent.mkdir(parents=True)
                path.write_text(json.dumps(GOLDEN))
            command = [sys.executable, str(REPORT), "--ovenbird", fake_in(output.parent),
                       "--source", "model.gguf", "--work", folder + "/work", "-o", str(output),
                       "--goldens", folder + "/goldens", *flags]
            env = dict(os.environ, FAKE_FAULTS=json.dumps(faults), HOME=str(HERE / "nobody"))
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            self.table, self.err = done.stdout, done.stderr
            self.check(done.returncode == exit_code, f"exit code {done.returncode}: {done.stderr}")
            self.left = sorted(path.name for path in output.parent.glob("report.json*"))
            self.report = json.loads(output.read_text()) if output.exists() else {}

    def check(self, is_so, what):
        check(is_so, f"{self.name}: {what}")

    def step(self, part, **wanted):
        """The first step of a part of the first model with these values."""
        steps = self.report["models"][0][part]
        return next(step for step in steps if wanted.items() <= step.items())

    def check_whole(self, ended="done"):
        self.check(self.left == ["report.json"], f"left {self.left}")
        self.check(self.report.get("finished") and self.report["ended"] == ended,
                   f"ended as {self.report.get('ended')}")


def all_is_well():
    case = Case("all is well", {})
    case.check_whole()
    report = case.report
    case.check(report["outcomes"].keys() == {"done"}, report["outcomes"])
    case.check(len(report["models"]) == 3 and len(report["goldens"]) == 4, "models and goldens")
    case.check(not report["emulated"] and report["device"] == "NPU", "device")
    case.check(len(case.step("bench", device="CPU")["result"]) == 5, "bench")
    score = report["models"][0]["scores"][0]["differences"]
    case.check(score == {"tokens": 2, "not_finite": 0, "same_length": True, "worst": 0.5,
                         "worst_at": 2, "mean": 0.375, "mean_by_quarter": [0.25, 0.5]}, score)
    golden = report["goldens"][0]
    greedy = golden["greedy"]
    case.check(greedy["given"] == greedy["same_as_cpu"] == 3, greedy)
    case.check((greedy["same_as_golden"], greedy["golden_margin_there"]) == (2, 0.125), greedy)
    far = {device: one["worst"] for device, one in golden["sequences"][0]["from_golden"].items()}
    case.check(far == {"NPU": 0.25, "CPU": 0.5}, far)
    case.check("12.5 tokens/s" in case.table and "an NPU can be used" in case.table, case.table)


def every_fault_is_an_entry():
    faults = {"doctor": [2, "no such command"], "bench NPU": "crash", "run NPU": [1, "no memory"],
              "score NPU": "not finite", "inspect": "nonsense"}
    case = Case("faults", faults, "--bundle", "bundle")
    case.check_whole()
    case.check(case.report["doctor"]["error"] == "ovenbird: no such command", "doctor")
    crashed = case.step("bench", device="NPU")
    case.check((crashed["outcome"], crashed.get("signal")) == ("died", "SIGSEGV"), crashed)
    case.check(case.step("bench", device="CPU")["outcome"] == "done", "the CPU goes on")
    answer = case.report["models"][0]["answers"][0]
    case.check((answer["outcome"], answer["exit_code"]) == ("failed", 1), answer)
    score = case.report["models"][0]["scores"][0]["differences"]
    case.check((score["not_finite"], score["worst"]) == (1, 0.25), score)
    for told in ("no such command", "SIGSEGV", "no memory", "1 not finite"):
        case.check(told in case.table, f"the table does not tell {told}")


def a_device_that_hangs_is_left_alone():
    case = Case("hang", {"run NPU": "hang", "bench NPU": "hang"}, "--timeout", "3",
                "--skip", "goldens,score", "--bundle", "bundle")
    case.check_whole()
    outcomes = case.report["outcomes"]
    case.check(outcomes["timed out"] == 3 and outcomes["skipped"] == 5, outcomes)
    case.check(case.step("bench", device="CPU")["outcome"] == "done", "the CPU goes on")


def nonsense_is_kept():
    case = Case("nonsense", {name: "nonsense" for name in ("doctor", "run", "bench", "score")},
                "--bundle", "bundle")
    case.check_whole()
    case.check(case.step("bench")["result"] == {"unheard": "of"}, "bench")


def what_ends_early_is_whole():
    case = Case("no NPU", {"doctor": [4, "no device"]}, exit_code=4)
    case.check_whole("no usable device")
    case.check("models" not in case.report and case.report["doctor"]["result"]["findings"],
               "what doctor found")
    case = Case("interrupted", {"score": "interrupt"}, exit_code=5)
    case.check_whole("interrupted")
    case.check(len(case.report["models"][0]["bench"]) == 8, "what there was before")
    case = Case("interrupted later", {"score": "interrupt"}, "--skip", "answers,bench,score",
                exit_code=5)
    case.check_whole("interrupted")
    case.check("bake" in case.report["goldens"][0], "the entry that was begun")
    case = Case("no bake", {"bake": [3, "what is this"]})
    case.check_whole()
    case.check("what is this" in case.table, case.table)


def wrong_usage_leaves_nothing():
    for flags in (["--skip", "lunch"], ["-o", "nowhere/at/all.json"]):
        case = Case(f"usage {flags}", {}, *flags, exit_code=2)
        case.check(case.left == [], f"left {case.left}")
    case = Case("no program", {}, "--ovenbird", "nowhere/ovenbird", exit_code=1)
    case.check("make programs" in case.err and case.left == [], case.err)


def main():
    tests = (all_is_well, every_fault_is_an_entry, a_device_that_hangs_is_left_alone,
             nonsense_is_kept, what_ends_early_is_whole, wrong_usage_leaves_nothing)
    for test in tests:
        test()
    print("\n".join(failures) or f"{len(tests)} ways of a report")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
