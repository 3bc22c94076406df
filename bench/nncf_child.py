#!/usr/bin/env python3
# One of NNCF's ways to INT4 weights, and what its model then says of texts, asked by
# quantizers.py. A process of its own, so that its time and memory are its own.
#
#     nncf_child.py compress EXPORT OUT --flags JSON --group-size N --text FILE --windows N
#     nncf_child.py score EXPORT --ids FILE                            prints perplexities
#
# EXPORT is a directory of optimum-intel's; FILE behind --ids holds a JSON list of lists of tokens.
import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import openvino as ov

WINDOW = 256  # tokens; bake --calibrate's own windows, see apps/calibration_text.cc


def inputs_of(ids):
    width = len(ids)
    return {"input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, width), np.int64),
            "position_ids": np.arange(width, dtype=np.int64)[None],
            "beam_idx": np.zeros(1, np.int32)}


def windows_of(text, count, export):
    """As bake --calibrate spreads them over a text."""
    from transformers import AutoTokenizer

    ids = AutoTokenizer.from_pretrained(export)(text.read_text()).input_ids
    count = min(count, len(ids) // WINDOW)
    firsts = [(len(ids) - WINDOW) * window // max(count - 1, 1) for window in range(count)]
    return [ids[first:first + WINDOW] for first in firsts]


def compress(asked):
    import nncf

    model = ov.Core().read_model(asked.export / "openvino_model.xml")
    flags = json.loads(asked.flags)
    if flags:
        windows = windows_of(asked.text, asked.windows, asked.export)
        flags |= {"dataset": nncf.Dataset(windows, inputs_of), "subset_size": len(windows)}
    model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT4_SYM, ratio=1.0,
                                  group_size=asked.group_size, **flags)
    shutil.copytree(asked.export, asked.out, ignore=shutil.ignore_patterns("openvino_model.*"))
    ov.save_model(model, asked.out / "openvino_model.xml", compress_to_fp16=False)


def score(asked):
    settings = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32",
                "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    model = ov.Core().compile_model(asked.export / "openvino_model.xml", "CPU", settings)
    told = []
    for ids in json.loads(asked.ids.read_text()):
        request = model.create_infer_request()
        logits = request.infer(inputs_of(ids))["logits"][0, :-1].astype(np.float64)
        top = logits.max(axis=1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
        chosen = logits[np.arange(len(ids) - 1), ids[1:]]
        told.append(float(np.exp((total - chosen).mean())))
    print(json.dumps({"perplexities": told}))


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("compress")
    one.add_argument("export", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--flags", required=True, help="of nncf.compress_weights")
    one.add_argument("--group-size", type=int, required=True)
    one.add_argument("--text", type=Path, required=True)
    one.add_argument("--windows", type=int, required=True)
    one.set_defaults(run=compress)
    two = commands.add_parser("score")
    two.add_argument("export", type=Path)
    two.add_argument("--ids", type=Path, required=True)
    two.set_defaults(run=score)
    asked = parser.parse_args()
    asked.run(asked)


if __name__ == "__main__":
    main()
