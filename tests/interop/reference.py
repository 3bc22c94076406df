# The reference half of the interop tests: logits of a Hugging Face checkpoint by transformers, in
# float32 with eager attention, and the tokens they are computed for.
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
from transformers import AutoModelForCausalLM

GOLDEN_TOLERANCE = 2e-4  # between versions of transformers, in log-probability


def reference_logits(checkpoint, ids):
    """[tokens] -> f32 [tokens, vocabulary]."""
    model = AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()


def tokens_for(checkpoint, count):
    """`count` token ids: those of golden.json where there is one, else random ones of a seed."""
    golden = Path(checkpoint) / "golden.json"
    if golden.exists():
        sequences = json.loads(golden.read_text())["sequences"]
        longest = max((one["ids"] for one in sequences), key=len)
        if len(longest) >= count:
            return longest[:count]
    vocabulary = json.loads((Path(checkpoint) / "config.json").read_text())["vocab_size"]
    return np.random.default_rng(7).integers(3, vocabulary, count).tolist()


def check_against_golden(checkpoint, ids, logits):
    """True if these logits are those of golden.json; None if it has no such sequence."""
    golden = Path(checkpoint) / "golden.json"
    if not golden.exists():
        return None
    for sequence in json.loads(golden.read_text())["sequences"]:
        if sequence["ids"] == ids:
            given = np.array(sequence["logprobs"][1:])
            ours = log_softmax(logits)[np.arange(len(ids) - 1), ids[1:]]
            return bool(np.abs(given - ours).max() < GOLDEN_TOLERANCE)
    return None


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
