#!/usr/bin/env python3
# Makes the exports: golden checkpoints as optimum-intel writes them, with NNCF's int4 weights, and
# what optimum-intel's own model computes from them. Out: one directory each, beside this file.
#
#     make_exports.py        (Python 3.11 with scripts/requirements-interop.txt)
#
# Graphs are as they were written, but for the white space between elements.
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from optimum.intel import OVModelForCausalLM

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
# A scale for each row is what an NPU takes; groups of 16 because rows here have 32 or 64 numbers.
CASES = {
    "llama_int4_sym": ("llama_gqa", ["--sym", "--group-size", "-1"]),
    "qwen3_int4_asym": ("qwen3", ["--group-size", "16"]),
}
KEPT = {"openvino_model.xml", "openvino_model.bin", "config.json", "generation_config.json",
        "tokenizer.json", "tokenizer_config.json"}
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32",
         "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
PACKAGES = ("optimum", "optimum-intel", "openvino", "nncf", "torch", "transformers")


def export(checkpoint, flags, folder):
    shutil.rmtree(folder, ignore_errors=True)
    program = str(Path(sys.executable).with_name("optimum-cli"))
    subprocess.run([program, "export", "openvino", "--model", str(GOLDEN / checkpoint),
                    "--task", "text-generation-with-past", "--weight-format", "int4",
                    "--ratio", "1.0", *flags, str(folder)], check=True)
    for file in folder.iterdir():
        if file.name not in KEPT:
            file.unlink()
    graph = folder / "openvino_model.xml"  # white space between elements is a third of it
    graph.write_text(re.sub(r">\s+<", "><", graph.read_text()) + "\n")


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def sequence_of(model, ids):
    """Log-probabilities of ids[1:], each after those before it, and the logits after the last."""
    rows = torch.tensor([ids])
    logits = model(input_ids=rows, attention_mask=torch.ones_like(rows)).logits[0].numpy()
    chosen = log_softmax(logits)[np.arange(len(ids) - 1), ids[1:]]
    return {"ids": ids, "logprobs": [round(float(number), 6) for number in chosen],
            "last_logits": [round(float(number), 5) for number in logits[-1]]}


def main():
    for name, (checkpoint, flags) in CASES.items():
        export(checkpoint, flags, HERE / name)
        model = OVModelForCausalLM.from_pretrained(HERE / name, device="CPU", ov_config=EXACT)
        sequences = json.loads((GOLDEN / checkpoint / "golden.json").read_text())["sequences"]
        golden = {"made_with": {package: importlib.metadata.version(package)
                                for package in PACKAGES},
                  "sequences": [sequence_of(model, one["ids"]) for one in sequences]}
        (HERE / name / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
