#!/usr/bin/env python3
# What optimum-intel exported says the same after it was baked: every graph of the bundle, driven by
# plain OpenVINO, gives the logits of optimum-intel's own model over the export.
#
#     import_test.py BUNDLE EXPORT
#
# BUNDLE: baked from EXPORT with --for cpu --cache f32. Exit code 0: all equal; 1: lines with FAIL.
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from optimum.intel import OVModelForCausalLM

import plain_openvino_test

TOLERANCE = 1e-3  # of a logit: both compute in f32 over an f32 cache, and add in another order
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32",
         "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


def export_logits(export, ids):
    """[tokens] -> f32 [tokens, vocabulary], by the exported graph, all tokens at once."""
    model = OVModelForCausalLM.from_pretrained(export, device="CPU", ov_config=EXACT)
    rows = torch.tensor([ids])
    return model(input_ids=rows, attention_mask=torch.ones_like(rows)).logits[0].numpy()


def main():
    parser = argparse.ArgumentParser(description="A baked export says what the export says.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("export", type=Path)
    asked = parser.parse_args()
    vocabulary = json.loads((asked.export / "config.json").read_text())["vocab_size"]
    count = plain_openvino_test.WINDOW
    ids = np.random.default_rng(7).integers(3, vocabulary, count).tolist()
    plain_openvino_test.TOLERANCE["f32"] = TOLERANCE
    return plain_openvino_test.check_bundle(asked.bundle, ids, export_logits(asked.export, ids))


if __name__ == "__main__":
    sys.exit(main())
