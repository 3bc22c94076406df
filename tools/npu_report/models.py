# A model on the device and on the CPU beside it: an answer, speed, and how far the numbers differ.
import math

from npu_report.steps import result_of

PARTS = ("answers", "bench", "score")
# Name -> flags of bake, parts of the examination. The short past shows what a long one costs.
BAKES = {"int4, groups of 128": ([], PARTS),
         "int4, whole rows": (["--group-size", "-1"], PARTS),
         "int4, groups of 128, past of 512": (["--context", "512"], ("bench",))}
CHOICES = [("cached", "balanced"), ("cached", "lean"), ("cached", "fast"), ("window", "lean")]
# Plan -> tokens that are scored. The window plan computes 128 rows for each. Drivers were seen that
# give garbled text, and no error, from about 2,000 tokens on.
SCORED = {"cached": 2000, "window": 160}
QUESTION = "What is the capital of France?"


def bake(steps, source, bundle, flags):
    return steps.run(["bake", source, "-o", bundle, "--force", *flags])


def devices_of(steps):
    return dict.fromkeys([steps.device, "CPU"])


def examine(steps, entry, bundle, text, parts):
    """Fills `entry` with the parts, one by one: a report that is cut short has what there was."""
    entry["inspect"] = steps.run(["inspect", bundle, "--json"])
    if "answers" in parts:
        entry["answers"] = answers = []
        for plan, recipe in CHOICES:
            words = ["run", bundle, "-p", QUESTION, "--max-tokens", "32", "--temperature", "0",
                     "--json", "--plan", plan, "--recipe", recipe]
            answers.append({"plan": plan, "recipe": recipe} | steps.on(steps.device, words))
    if "bench" in parts:
        entry["bench"] = benches = []
        for plan, recipe in CHOICES:
            for device in devices_of(steps):
                words = ["bench", bundle, "--json", "--plan", plan, "--recipe", recipe]
                benches.append({"plan": plan, "recipe": recipe, "device": device}
                               | steps.on(device, words))
    if "score" in parts:
        entry["scores"] = scores = []
        for plan, tokens in SCORED.items():
            words = ["score", bundle, "--text", text, "--max-tokens", tokens, "--plan", plan]
            scores.append({"plan": plan} | compare_devices(steps, words))


def compare_devices(steps, words, golden=None):
    """The same scores on the device and on the CPU, without what makes the CPU less exact; and how
    far each is from the golden numbers, if there are any."""
    by_device = on_both(steps, [*words, "--json"])
    found = {"steps": {device: without_lists(step) for device, step in by_device.items()}}
    given = {device: logprobs_of(step) for device, step in by_device.items()}
    if given[steps.device] and given["CPU"]:
        found["differences"] = differences(given[steps.device], given["CPU"])
    if golden:
        found["from_golden"] = {device: differences(numbers, golden)
                                for device, numbers in given.items() if numbers}
    return found


def on_both(steps, words):
    """device -> step."""
    exactly = {"CPU": ["--exact"]}
    return {device: steps.on(device, [*words, *exactly.get(device, [])])
            for device in devices_of(steps)}


def logprobs_of(step):
    result = result_of(step)
    return result.get("logprobs") if result else None


def without_lists(step):
    """The step without its thousands of numbers."""
    result = result_of(step)
    if not result:
        return step
    short = {key: value for key, value in result.items() if not isinstance(value, list)}
    return step | {"result": short}


def differences(one, other):
    """Of log-probabilities that two programs gave for the same tokens. `not_finite` counts the
    positions, after the first, where either has no number."""
    pairs = list(zip(one, other))[1:]
    known = [(abs(a - b), at) for at, (a, b) in enumerate(pairs, 1)
             if is_number(a) and is_number(b)]
    found = {"tokens": len(pairs), "not_finite": len(pairs) - len(known),
             "same_length": len(one) == len(other)}
    if known:
        worst, at = max(known)
        found |= {"worst": worst, "worst_at": at,
                  "mean": math.fsum(value for value, _ in known) / len(known),
                  "mean_by_quarter": quarters([value for value, _ in known])}
    return found


def is_number(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def quarters(values):
    """Means: whether it gets worse with the length of the text."""
    edges = [len(values) * part // 4 for part in range(5)]
    return [math.fsum(values[low:high]) / (high - low)
            for low, high in zip(edges, edges[1:]) if high > low]
