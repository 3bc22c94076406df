#!/usr/bin/env python3
# A bundle is nothing special: plain OpenVINO, which knows nothing of Ovenbird, reads every graph
# of it on the CPU, drives it by the names and shapes of docs/BUNDLE.md, and gets transformers'
# logits.
#
#     plain_openvino_test.py BUNDLE CHECKPOINT
#
# BUNDLE: baked from CHECKPOINT (a Hugging Face directory) with --weights f32 --cache f32; with an
# f16 cache the tolerance is wider. Exit code 0: all equal; 1: the lines that begin with FAIL.
import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino

from reference import check_against_golden, reference_logits, tokens_for

TOLERANCE = {"f32": 2e-3, "f16": 0.3}  # of a logit, by the type of keys and values
WINDOW = 128
TOKENS = 40  # for the graphs with a cache: several chunks of 8, none of them full at the end


@dataclass
class Graph:
    """A compiled step graph and what its own inputs say about it. None = the size is open."""

    name: str
    compiled: openvino.CompiledModel
    width: int | None
    past: int | None  # 0 = no cache
    caches: dict  # input name -> (element type, [1, heads, P, head_dim])

    @property
    def tolerance(self):
        return max(TOLERANCE[kind] for kind in self.cache_types or {"f32"})

    @property
    def cache_types(self):
        return {kind.get_type_name() for kind, _ in self.caches.values()}


def size(dimension):
    return None if dimension.is_dynamic else dimension.get_length()


def open_graph(core, path):
    own = path.with_suffix(".bin")  # only the window graph has one of its own name: the shared one
    model = core.read_model(path, own if own.exists() else path.with_name("openvino_model.bin"))
    inputs = {port.get_any_name(): port for port in model.inputs}
    caches = {name: (port.get_element_type(), [size(d) for d in port.get_partial_shape()])
              for name, port in inputs.items() if name.startswith("past_key_values.")}
    past = next(iter(caches.values()))[1][2] if caches else 0
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32",
                                                 "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"})
    width = size(inputs["input_ids"].get_partial_shape()[1])
    return Graph(path.name, compiled, width, past, caches)


# ---- names and shapes

def port_problems(graph):
    """What docs/BUNDLE.md promises and the graph does not keep."""
    problems = []
    layers = len(graph.caches) // 2
    wanted = {"input_ids", "attention_mask", "position_ids", *graph.caches}
    wanted_caches = {f"past_key_values.{layer}.{part}"
                     for layer in range(layers) for part in ("key", "value")}
    given = {port.get_any_name() for port in graph.compiled.inputs}
    if given != wanted or set(graph.caches) != wanted_caches:
        problems.append(f"inputs {sorted(given ^ (wanted | wanted_caches))}")
    for port in graph.compiled.inputs[:3]:
        if port.get_element_type().get_type_name() != "i64":
            problems.append(f"{port.get_any_name()} is {port.get_element_type()}, not i64")
    if not graph.cache_types <= TOLERANCE.keys():
        problems.append(f"keys and values are {sorted(graph.cache_types)}, not f16 or f32")
    outputs = {port.get_any_name() for port in graph.compiled.outputs}
    present = {name.replace("past_key_values", "present") for name in graph.caches}
    if not {"logits", *present} <= outputs:
        problems.append(f"outputs lack {sorted({'logits', *present} - outputs)}")
    return problems


# ---- driving a graph

def window_logits(graph, ids, at_front):
    """The rows of `ids` in the window graph, the padding before (`at_front`) or behind them."""
    padding = graph.width - len(ids)
    place = slice(padding, None) if at_front else slice(0, len(ids))
    feed = {name: np.zeros((1, graph.width), np.int64)
            for name in ("input_ids", "attention_mask", "position_ids")}
    feed["input_ids"][0, place] = ids
    feed["attention_mask"][0, place] = 1
    feed["position_ids"][0, place] = np.arange(len(ids))
    logits = graph.compiled(feed)["logits"][0]
    if not np.isfinite(logits).all():
        raise ValueError("a padding row gives NaN or infinity")
    return logits[place]


class Cache:
    """Keys and values on the host. Row t of each array is the t-th token that was committed."""

    def __init__(self, graph, rows):
        self.graph = graph
        self.used = 0
        self.arrays = {
            name: np.zeros((1, shape[1], graph.past or rows, shape[3]), kind.to_dtype())
            for name, (kind, shape) in graph.caches.items()}

    def inputs(self):
        if self.graph.past is not None:
            return dict(self.arrays)
        return {name: array[:, :, :self.used].copy() for name, array in self.arrays.items()}

    def commit(self, result, rows):
        """Copies the last `rows` of the new rows behind those that are kept."""
        for name, array in self.arrays.items():
            new = result[name.replace("past_key_values", "present")]
            array[:, :, self.used:self.used + rows] = new[:, :, new.shape[2] - rows:]
        self.used += rows


def step(graph, cache, ids):
    """One step over `ids`, padded at the front. Returns [(place in the text, logits row)]."""
    width = graph.width or len(ids)
    padding = width - len(ids)
    past = cache.used if graph.past is None else graph.past
    first = cache.used
    mask = np.zeros((1, past + width), np.int64)
    mask[0, :first] = 1
    mask[0, past + padding:] = 1
    input_ids = np.zeros((1, width), np.int64)
    input_ids[0, padding:] = ids
    positions = np.zeros((1, width), np.int64)
    positions[0, padding:] = np.arange(first, first + len(ids))
    result = graph.compiled({"input_ids": input_ids, "attention_mask": mask,
                             "position_ids": positions, **cache.inputs()})
    logits = result["logits"][0]
    if not np.isfinite(logits).all():
        raise ValueError("a padding row gives NaN or infinity")
    cache.commit(result, len(ids))
    rows = min(len(ids), len(logits))
    places = range(first + len(ids) - rows, first + len(ids))
    return list(zip(places, logits[len(logits) - rows:]))


def chunked_difference(graph, ids, chunk, expected):
    """The largest difference of a logit when `ids` go through the graph `chunk` at a time."""
    cache = Cache(graph, len(ids))
    worst = 0.0
    for begin in range(0, len(ids), chunk):
        for place, logits in step(graph, cache, ids[begin:begin + chunk]):
            worst = max(worst, float(np.abs(logits - expected[place]).max()))
    return worst


# ---- the tests

def check_window(graph, ids, expected):
    """(label, largest difference) for a full window and for short ones, padded on either side."""
    short = len(ids) // 3
    return [
        ("window, full", np.abs(window_logits(graph, ids, True) - expected).max()),
        (f"window, {short} rows at the end",
         np.abs(window_logits(graph, ids[:short], True) - expected[:short]).max()),
        (f"window, {short} rows at the beginning",
         np.abs(window_logits(graph, ids[:short], False) - expected[:short]).max()),
    ]


def check_cached(graph, ids, expected):
    """Token by token, and in the largest chunks that the graph takes."""
    widest = min(graph.width or 8, len(ids))
    chunks = sorted({1, min(5, widest), widest})
    return [(f"{len(ids)} tokens, {chunk} a step", chunked_difference(graph, ids, chunk, expected))
            for chunk in chunks]


def check_graph(core, path, ids, expected):
    graph = open_graph(core, path)
    problems = port_problems(graph)
    for problem in problems:
        print(f"FAIL {graph.name}: {problem}")
    if problems:
        return len(problems)
    failures = 0
    check = check_window if graph.past == 0 else check_cached
    count = WINDOW if graph.past == 0 else min(TOKENS, graph.past or TOKENS)
    for label, difference in check(graph, ids[:count], expected[:count]):
        verdict = "ok  " if difference <= graph.tolerance else "FAIL"
        failures += verdict == "FAIL"
        print(f"{verdict} {graph.name}: {label}: largest difference {difference:.2e}")
    return failures


def check_bundle(bundle, ids, expected):
    """All graphs of a bundle against logits [tokens, vocabulary]; 0 = all equal."""
    core = openvino.Core()
    paths = sorted(bundle.glob("*.xml"))
    if bundle / "openvino_model.xml" not in paths:
        sys.exit(f"FAIL {bundle} has no openvino_model.xml")
    failures = sum(check_graph(core, path, ids, expected) for path in paths)
    print(f"{len(paths)} graphs, {failures} failures")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description="Plain OpenVINO runs a bundle's graphs.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("checkpoint", type=Path)
    asked = parser.parse_args()
    ids = tokens_for(asked.checkpoint, WINDOW)
    expected = reference_logits(asked.checkpoint, ids)
    if check_against_golden(asked.checkpoint, ids, expected) is False:
        sys.exit("FAIL the reference differs from golden.json: another version of transformers?")
    return check_bundle(asked.bundle, ids, expected)


if __name__ == "__main__":
    sys.exit(main())
