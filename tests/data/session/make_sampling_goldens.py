#!/usr/bin/env python3
"""Writes sampling_goldens.txt: what is left of a row of logits after transformers' processors.

Reference: Hugging Face transformers' logits processors, in the order in which its generate()
applies them. Presence and frequency penalty are not among them; the processor below is the formula
of OpenAI's API documentation, at the place where generate() puts processors of the user.
Made with transformers 5.23.0, torch 2.13.0 (CPU), Python 3.11:

    python3 tests/data/session/make_sampling_goldens.py > tests/data/session/sampling_goldens.txt

Every case is run in float32, as generate() does, and in float64; both must keep the same tokens,
so that no case hangs on a rounding. The rows are not stored: row() below and in the C++ test are
the same integer arithmetic, whose results float32 holds exactly.
"""

import collections
import sys

import torch
import transformers
from transformers.generation import logits_process as reference


def row(vocabulary, seed, coarse_bits):
    """Bell-shaped, within +-16, standard deviation 4.6; coarse_bits > 0 makes many equals."""
    state = seed
    logits = []
    for _ in range(vocabulary):
        total = 0
        for _ in range(4):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += state >> 48
        total -= total % 2**coarse_bits
        logits.append((total - 131070) / 8192)
    return logits


class PresenceAndFrequency(reference.LogitsProcessor):
    """mu[j] - c[j] * frequency - (c[j] > 0) * presence, c = counts in the answer."""

    def __init__(self, presence, frequency, prompt_tokens):
        self.presence, self.frequency, self.prompt_tokens = presence, frequency, prompt_tokens

    def __call__(self, input_ids, scores):
        counts = torch.zeros_like(scores)
        answer = input_ids[0, self.prompt_tokens :].tolist()
        for token, count in collections.Counter(answer).items():
            counts[0, token] = count
        return scores - counts * self.frequency - (counts > 0) * self.presence


def processors(case):
    """The list that generate() builds for these options (generation/utils.py)."""
    chain = reference.LogitsProcessorList()
    if case["bias"]:
        chain.append(
            reference.SequenceBiasLogitsProcessor([[[t], float(b)] for t, b in case["bias"]])
        )
    if case["repetition"] != 1.0:
        chain.append(reference.RepetitionPenaltyLogitsProcessor(case["repetition"]))
    chain.append(
        PresenceAndFrequency(case["presence"], case["frequency"], len(case["prompt"]))
    )
    if case["temperature"] != 1.0:
        chain.append(reference.TemperatureLogitsWarper(case["temperature"]))
    if case["top_k"] != 0:
        chain.append(reference.TopKLogitsWarper(case["top_k"]))
    if case["top_p"] < 1.0:
        chain.append(reference.TopPLogitsWarper(case["top_p"]))
    if case["min_p"] > 0.0:
        chain.append(reference.MinPLogitsWarper(case["min_p"]))
    return chain


def distribution(case, precision):
    logits = row(case["vocabulary"], case["row"], case["coarse_bits"])
    scores = torch.tensor([logits], dtype=precision)
    history = torch.tensor([case["prompt"] + case["answer"]], dtype=torch.int64)
    probabilities = torch.softmax(processors(case)(history, scores), dim=-1)[0]
    return {i: p for i, p in enumerate(probabilities.tolist()) if p > 0}


def write(name, **changes):
    case = dict(
        vocabulary=40, row=1, coarse_bits=0, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0,
        repetition=1.0, presence=0.0, frequency=0.0, bias=[], prompt=[0], answer=[],
    )
    case.update(changes)
    kept = distribution(case, torch.float64)
    if set(kept) != set(distribution(case, torch.float32)):
        sys.exit(f"case {name}: float32 and float64 keep different tokens; take another row")
    print("case", name)
    for key, value in case.items():
        if key == "bias":
            value = [len(value)] + [x for pair in value for x in pair]
        elif isinstance(value, list):
            value = [len(value)] + value
        print(key, *(value if isinstance(value, list) else [value]))
    print("kept", len(kept))
    for token, probability in kept.items():
        print(token, f"{probability:.9g}")


def main():
    print(f"# transformers {transformers.__version__}, torch {torch.__version__}")
    write("plain")
    write("cold", temperature=0.3, row=2)
    write("hot", temperature=2.5, row=3)
    write("top_k_1", top_k=1)
    write("top_k_5", top_k=5, row=4)
    write("top_k_beyond_the_vocabulary", top_k=1000, row=4)
    write("top_k_keeps_equals_of_the_last", top_k=6, row=25, coarse_bits=15)
    write("top_p_0", top_p=0.0, row=6)
    write("top_p_small", top_p=0.2, row=6)
    write("top_p_90", top_p=0.9, row=7)
    write("top_p_999", top_p=0.999, row=8)
    write("min_p_05", min_p=0.05, row=9)
    write("min_p_1", min_p=1.0, row=9)
    write("repetition_above_1", repetition=1.3, prompt=[1, 2, 3, 3, 3], answer=[4, 5, 5], row=10)
    write("repetition_below_1", repetition=0.7, prompt=[1, 2, 3, 3, 3], answer=[4, 5, 5], row=10)
    write("presence", presence=1.5, prompt=[1, 2, 2], answer=[3, 3, 3, 7, 9], row=11)
    write("frequency", frequency=0.75, prompt=[1, 2, 2], answer=[3, 3, 3, 7, 9], row=11)
    write("negative_penalties", presence=-1.0, frequency=-0.5, answer=[3, 3, 3, 7, 9], row=11)
    write("bias", bias=[(0, 5.0), (7, -50.0), (39, 2.5)], row=12)
    write(
        "bias_before_repetition", bias=[(3, 9.0), (4, -9.0)], repetition=1.8, prompt=[3, 4], row=13
    )
    write("top_k_then_top_p", top_k=8, top_p=0.8, temperature=1.5, row=14)
    write("top_p_then_min_p", top_p=0.97, min_p=0.1, temperature=1.2, row=15)
    everything = dict(
        temperature=0.8, top_p=0.95, min_p=0.02, repetition=1.1, presence=0.3, frequency=0.2,
        bias=[(5, 1.0), (6, -1.0)], prompt=[1, 5, 9, 9], answer=[5, 6, 6, 30],
    )
    write("everything", top_k=20, row=16, **everything)
    write("everything_in_49152", vocabulary=49152, top_k=50, row=17, **everything)
    write("top_p_in_49152", vocabulary=49152, top_p=0.6, temperature=1.3, row=18)
    write("min_p_in_49152", vocabulary=49152, min_p=0.1, row=19)
    write(
        "top_k_2000_in_49152_top_p", vocabulary=49152, top_k=2000, top_p=0.3, temperature=1.5,
        row=20,
    )
    write("an_odd_vocabulary", vocabulary=151, top_p=0.7, temperature=1.7, row=21)


main()
