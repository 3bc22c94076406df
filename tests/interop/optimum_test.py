#!/usr/bin/env python3
# optimum-intel, told to load a bundle's directory, finds a model that uses no cache, and computes
# transformers' logits with it.
#
#     optimum_test.py BUNDLE [CHECKPOINT]
#
# `compile_only=True` is how optimum-intel takes a graph of fixed shape: it then compiles the .xml
# as it is instead of opening its dimensions first. Exit code 0: as it should be; 1: FAIL lines.
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from optimum.intel import OVModelForCausalLM
from transformers import AutoConfig

from reference import reference_logits, tokens_for

WINDOW = 128
TOLERANCE = 2e-3  # of a logit


def check_config(bundle):
    written = json.loads((bundle / "config.json").read_text())["use_cache"]
    read = AutoConfig.from_pretrained(bundle).use_cache
    return [("config.json says use_cache false", written is False),
            ("transformers reads use_cache false", read is False)]


def check_load(bundle):
    """Returns the checks and the model, or None in its place."""
    try:
        model = OVModelForCausalLM.from_pretrained(
            bundle, compile_only=True, use_cache=False, device="CPU",
            ov_config={"INFERENCE_PRECISION_HINT": "f32"})
    except (ValueError, RuntimeError) as error:
        return [(f"optimum-intel loads it: {str(error)[:300]}", False)], None
    return [("optimum-intel loads it", True),
            ("its model uses no cache", model.use_cache is False),
            ("its config says use_cache false", model.config.use_cache is False),
            ("its model has no state", model.stateful is False)], model


def check_refusal(bundle):
    """Asked for a cache, optimum-intel must see that there is none."""
    try:
        OVModelForCausalLM.from_pretrained(bundle, compile_only=True, use_cache=True, device="CPU")
    except ValueError as error:
        return [("use_cache=True is refused by name", "use_cache" in str(error))]
    return [("use_cache=True is refused by name", False)]


def check_logits(model, checkpoint):
    ids = tokens_for(checkpoint, WINDOW)
    expected = reference_logits(checkpoint, ids)
    given = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, WINDOW, dtype=int),
                  position_ids=torch.arange(WINDOW)[None]).logits[0].numpy()
    difference = float(np.abs(given - expected).max())
    return [(f"its logits are transformers': largest difference {difference:.2e}",
             difference <= TOLERANCE)]


def main():
    parser = argparse.ArgumentParser(description="optimum-intel loads a bundle.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("checkpoint", type=Path, nargs="?",
                        help="what it was baked from, with --weights f32")
    asked = parser.parse_args()
    checks = check_config(asked.bundle)
    loaded, model = check_load(asked.bundle)
    checks += loaded + check_refusal(asked.bundle)
    if model is not None and asked.checkpoint:
        checks += check_logits(model, asked.checkpoint)
    for label, good in checks:
        print(f"{'ok  ' if good else 'FAIL'} {label}")
    return 0 if all(good for _, good in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
