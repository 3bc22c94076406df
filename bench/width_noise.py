#!/usr/bin/env python3
# How far the same logit differs between the graphs of a bundle, on OpenVINO's CPU. Graphs of
# different width add in another order, and the CPU plugin rounds what it multiplies compressed
# weights by to 8 bit, in groups (--rounding 32, its default; 0 = not at all).
#
#     width_noise.py BUNDLE [--tokens 64] [--rounding 32]
#
# Needs the Python packages openvino and numpy (scripts/requirements-peers.txt has both).
import argparse
import json
from pathlib import Path

import numpy as np
import openvino


class StepGraph:
    """One graph of a bundle, driven as docs/BUNDLE.md says. `info` is its entry in the manifest."""

    def __init__(self, core, bundle, info, rounding):
        model = core.read_model(bundle / info["file"], bundle / "openvino_model.bin")
        self.compiled = core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": rounding})
        self.info = info
        self.cache = {}
        for port in info["inputs"]:
            if port["name"].startswith("past_key_values."):
                rows = 0 if port["shape"][2] < 0 else port["shape"][2]
                self.cache[port["name"]] = np.zeros((*port["shape"][:2], rows, port["shape"][3]),
                                                    port["type"].replace("f", "float"))
        self.held = 0

    def step(self, ids):
        """The rows of logits of `ids`, the next tokens; keeps their keys and values."""
        width = len(ids) if self.info["open_width"] else self.info["width"]
        past = next(iter(self.cache.values())).shape[2] if self.cache else 0
        new = slice(width - len(ids), width)
        feed = {name: np.zeros((1, width), np.int64) for name in ("input_ids", "position_ids")}
        feed["input_ids"][0, new] = ids
        feed["position_ids"][0, new] = np.arange(self.held, self.held + len(ids))
        mask = np.zeros((1, past + width), np.int64)
        mask[0, :self.held] = 1
        mask[0, past:][new] = 1
        result = self.compiled({**feed, "attention_mask": mask, **self.cache})
        for name in self.cache:
            rows = result[name.replace("past_key_values", "present")][:, :, new]
            if self.info["open_past"]:
                self.cache[name] = np.concatenate((self.cache[name], rows), axis=2)
            else:
                self.cache[name][:, :, self.held:self.held + len(ids)] = rows
        self.held += len(ids)
        return result["logits"][0, -len(ids):].copy()


def logits_of(graph, ids):
    """One row for each id. The window graph takes them at once, the others as many as give rows."""
    if graph.info["plan"] == "window":
        return graph.step(ids)
    rows = graph.info["logit_rows"] or graph.info["width"] or len(ids)
    parts = [graph.step(ids[begin:begin + rows]) for begin in range(0, len(ids), rows)]
    return np.concatenate(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--tokens", type=int, default=64, help="at most 128; random ids")
    parser.add_argument("--rounding", type=int, default=32, help="group size; 0 = none")
    asked = parser.parse_args()
    manifest = json.loads((asked.bundle / "ovenbird.json").read_text())
    ids = np.random.default_rng(1).integers(manifest["model"]["vocabulary"], size=asked.tokens)
    core = openvino.Core()
    by_file = {info["file"]: logits_of(StepGraph(core, asked.bundle, info, asked.rounding), ids)
               for info in manifest["graphs"]}
    reference = by_file["dynamic.xml"]
    print(f"rounding {asked.rounding}, {asked.tokens} tokens, against dynamic.xml:")
    for file, logits in by_file.items():
        difference = np.abs(logits - reference)
        other = int((logits.argmax(1) != reference.argmax(1)).sum())
        print(f"{file:24} largest {difference.max():.4f}  mean {difference.mean():.5f}  "
              f"another best token at {other} of {len(ids)}")


if __name__ == "__main__":
    main()
