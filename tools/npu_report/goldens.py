# The golden checkpoints of tests/data/golden on the device: tiny models of every architecture with
# the numbers that transformers computed for them.
import json

from npu_report.models import bake, compare_devices, on_both
from npu_report.steps import result_of

# int4 changes such tiny random models beyond recognition: there the CPU's numbers are the measure.
WEIGHTS = {"f16": ["--weights", "f16"],
           "int4": ["--weights", "int4", "--group-size", "-1", "--embedding", "int8"]}


def checkpoints(folder):
    """[(name, source, golden file)]"""
    found = [(path.parent.name, path.parent, path) for path in sorted(folder.glob("*/golden.json"))]
    for path in sorted((folder / "gguf").glob("*.json")):
        found.append((path.stem, path.with_suffix(".gguf"), path))
    return found


def examine_goldens(steps, folder, work, entries):
    """Appends an entry for each checkpoint and kind of weights."""
    for name, source, golden in checkpoints(folder):
        expected = json.loads(golden.read_text(encoding="utf-8"))
        for weights, flags in WEIGHTS.items():
            entry = {"name": name, "weights": weights}
            entries.append(entry)
            bundle = work / "goldens" / f"{name}-{weights}"
            entry["bake"] = bake(steps, source, bundle, [*flags, "--context", "256"])
            if entry["bake"]["outcome"] == "done":
                entry["sequences"] = [scored(steps, bundle, one) for one in expected["sequences"]]
                entry["greedy"] = greedy(steps, bundle, expected["greedy"])


def scored(steps, bundle, sequence):
    """A sequence's log-probabilities: on the device and on the CPU, and both against the golden."""
    words = ["score", bundle, "--ids", joined(sequence["ids"])]
    return {"tokens": len(sequence["ids"])} | compare_devices(steps, words, sequence["logprobs"])


def greedy(steps, bundle, golden):
    """How many tokens of an answer are the golden ones and how many the CPU's, and how clear the
    first choice was in which it differs from the golden ones. An end token ends an answer."""
    words = ["run", bundle, "--ids", joined(golden["prompt_ids"]), "--max-tokens",
             len(golden["ids"]), "--temperature", "0", "--draft", "off", "--json"]
    by_device = on_both(steps, words)
    found = {"steps": by_device}
    ids, cpu_ids = (ids_of(by_device[device]) for device in (steps.device, "CPU"))
    if ids is not None:
        found |= {"given": len(ids), "same_as_golden": shared(ids, golden["ids"])}
        if found["same_as_golden"] < len(ids):
            found["golden_margin_there"] = golden["margins"][found["same_as_golden"]]
        if cpu_ids is not None:
            found["same_as_cpu"] = shared(ids, cpu_ids)
    return found


def ids_of(step):
    result = result_of(step)
    return result.get("ids") if result else None


def shared(ids, others):
    """How many of the first ids are the same."""
    pairs = zip(ids, others)
    return next((at for at, (one, other) in enumerate(pairs) if one != other),
                min(len(ids), len(others)))


def joined(ids):
    return ",".join(map(str, ids))
