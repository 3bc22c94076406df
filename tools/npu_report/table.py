# A report as a short table for people: a line for each thing that was tried.
from npu_report.steps import result_of


def table(content):
    lines = [heading(content), ""]
    lines += doctor_lines(content.get("doctor", {}))
    for model in content.get("models", []):
        lines += ["", model["name"]]
        lines += [f"  {line}" for line in model_lines(model)]
    if content.get("goldens"):
        lines += ["", "golden checkpoints: worst difference of a log-probability"]
        lines += [f"  {line}" for line in map(golden_line, content["goldens"])]
    outcomes = ", ".join(f"{count} {name}" for name, count in content["outcomes"].items())
    return "\n".join([*lines, "", f"steps: {outcomes}; ended: {content.get('ended')}"])


def heading(content):
    emulated = ", on an EMULATED driver" if content["emulated"] else ""
    facts = content["machine"]
    return (f"{content['ovenbird']} on the {content['device']}{emulated}; {facts['processor']}, "
            f"{facts['system']}, kernel {facts['kernel']}")


def doctor_lines(step):
    result = step.get("result")
    if not isinstance(result, dict):
        return [f"doctor        {failure(step)}"]
    told = "an NPU can be used" if result.get("usable") else "no NPU can be used"
    lines = [f"doctor        {told}"]
    for finding in result.get("findings", []):
        if finding.get("state") in ("problem", "warning"):
            lines.append(f"  {finding['state']:9} {finding.get('title')}: {finding.get('seen')}")
    return lines


def failure(step):
    """One line of what went wrong."""
    more = step.get("signal") or step.get("exit_code", "")
    error = (step.get("error") or "").splitlines()
    return " ".join(filter(None, [f"{step.get('outcome', 'not tried')} {more}".strip() + ":",
                                  error[-1][:150] if error else ""]))


def model_lines(model):
    for name in ("bake", "inspect"):
        if name in model and model[name]["outcome"] != "done":
            yield f"{name:20} {failure(model[name])}"
    for step in model.get("answers", []):
        result = result_of(step)
        told = repr(result.get("text")) if result else failure(step)
        yield f"answer  {step['plan']:7} {step['recipe']:9} {told}"
    for step in model.get("bench", []):
        yield f"bench   {step['plan']:7} {step['recipe']:9} {step['device']:4} {figures(step)}"
    for score in model.get("scores", []):
        yield f"score   {score['plan']:17} {differences_of(score)}"


def figures(step):
    result = result_of(step)
    if not result:
        return failure(step)
    return "start {} s, first token of 128 {} ms, of 512 {} ms, {} tokens/s, {} MiB".format(
        *(number(result.get(key), 4)
          for key in ("start_s", "ttft_ms_128", "ttft_ms_512", "decode_tps", "rss_mib")))


def differences_of(score):
    told = []
    for device, step in score["steps"].items():
        result = result_of(step)
        value = "perplexity " + number(result.get("perplexity"), 6) if result else failure(step)
        told.append(f"{device}: {value}")
    if "differences" in score:
        found = score["differences"]
        told.append(f"log-probabilities differ by {number(found.get('worst'))} at worst, "
                    f"{number(found.get('mean'))} in the mean, {found['not_finite']} not finite")
    return "; ".join(told)


def golden_line(entry):
    """An entry may be cut short by an interruption, or lack what a step did not give."""
    name = f"{entry['name']:18} {entry['weights']:5}"
    bake = entry.get("bake", {})
    if bake.get("outcome") != "done":
        return f"{name} bake {failure(bake)}"
    sequences, greedy = entry.get("sequences", []), entry.get("greedy", {})
    told = [f"{device} {failure(step)}" for one in [*sequences, greedy]
            for device, step in one.get("steps", {}).items() if step["outcome"] != "done"]
    from_golden = {}
    for one in sequences:
        for device, found in one.get("from_golden", {}).items():
            from_golden.setdefault(device, []).append(found)
    told += [f"{device} from golden {worst_of(found)}" for device, found in from_golden.items()]
    between = [one["differences"] for one in sequences if "differences" in one]
    if between:
        told.append(f"between them {worst_of(between)}")
    if "given" in greedy:
        told.append(f"greedy {greedy['same_as_golden']} of {greedy['given']} as golden, "
                    f"{greedy.get('same_as_cpu', 0)} as the CPU's")
    return f"{name} " + ", ".join(told)


def worst_of(differences):
    """The worst of several sequences; a position without a number is worse than any."""
    worst = [one.get("worst") for one in differences]
    if None in worst or any(one["not_finite"] for one in differences):
        return "not finite"
    return number(max(worst))


def number(value, digits=2):
    if not isinstance(value, (int, float)):
        return "none"
    return f"{value:.0f}" if value >= 1000 else f"{value:.{digits}g}"
