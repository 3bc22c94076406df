#!/usr/bin/env python3
# Writes what the fuzzers of models begin with into FOLDER: FUZZER/*, seeds out of the golden data,
# and FUZZER.dict, the texts that the sources of the reader compare with. Weights are only
# counted (filled_tail.h), and graphs lose most of their layers: small inputs are many inputs.
import json
import pathlib
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree

TREE = pathlib.Path(__file__).parents[2]
GOLDEN, TEXT, EXPORTS = (TREE / "tests/data" / name for name in ("golden", "text", "openvino"))
# Which sources know the words of a fuzzer's format.
READERS = {
    "checkpoint_safetensors_fuzz": ["checkpoint/hugging_face_*.cc",
                                    "checkpoint/safetensors_file.cc",
                                    "checkpoint/weight_names.cc", "checkpoint/family.cc"],
    "checkpoint_config_fuzz": ["checkpoint/hugging_face_*.cc", "checkpoint/special_tokens.cc",
                               "checkpoint/family.cc", "checkpoint/openvino_export.cc"],
    "checkpoint_index_fuzz": ["checkpoint/shard_index.cc"],
    "checkpoint_gguf_fuzz": ["checkpoint/gguf_*.cc", "checkpoint/weight_names.cc",
                             "checkpoint/family.cc", "text/tokenizer_gguf.cc",
                             "text/pre_tokenizer_names.cc"],
    "bundle_manifest_fuzz": ["bundle/manifest*.cc", "bundle/*.h", "base/npu_generation.cc"],
    "npu_ir_fuzz": ["npu/ir_graph.cc", "npu/npu_rules.cc", "npu/npu_operations.h"],
    "npu_export_fuzz": ["npu/ir_graph.cc", "bake/import_check.cc"],
    "hub_listing_fuzz": ["hub/hub_listing.cc", "hub/file_choice.cc", "hub/model_name.cc"],
    "text_json_fuzz": ["text/tokenizer_json*.cc", "text/json_node.h"],
}
VOCABULARY_KEPT = 100  # tokens of a tokenizer, beside the added ones


def write(folder: pathlib.Path, fuzzer: str, name: str, data: bytes) -> None:
    (folder / fuzzer).mkdir(parents=True, exist_ok=True)
    (folder / fuzzer / name).write_bytes(data)


def dictionary(fuzzer: str) -> str:
    words = set()
    for pattern in READERS[fuzzer]:
        for source in (TREE / "src").glob(pattern):
            words |= set(re.findall(r'"([!#-\[\]-~]{2,40})"', source.read_text()))
    return "".join(f'"{word}"\n' for word in sorted(words) if "/" not in word or "." not in word)


def joined_header(files: list[pathlib.Path]) -> tuple[bytes, int]:
    """The header of one file with the tensors of all, and the bytes of their weights."""
    joined, weight_bytes = {}, 0
    for file in files:
        data = file.read_bytes()
        length = struct.unpack_from("<Q", data)[0]
        header = json.loads(data[8:8 + length])
        header.pop("__metadata__", None)
        for tensor in header.values():
            tensor["data_offsets"] = [weight_bytes + place for place in tensor["data_offsets"]]
        joined |= header
        weight_bytes += len(data) - 8 - length
    return json.dumps(joined).encode(), weight_bytes


def checkpoint_seeds(folder: pathlib.Path) -> None:
    for config in GOLDEN.glob("*/config.json"):
        case = config.parent
        write(folder, "checkpoint_config_fuzz", case.name,
              config.read_bytes() + b"\0" + (case / "generation_config.json").read_bytes())
        write(folder, "checkpoint_config_fuzz", f"{case.name}_alone", config.read_bytes())
        header, weight_bytes = joined_header(sorted(case.glob("*.safetensors")))
        write(folder, "checkpoint_safetensors_fuzz", case.name,
              struct.pack("<I", weight_bytes) + config.read_bytes() + b"\0"
              + struct.pack("<Q", len(header)) + header)
    for index in GOLDEN.glob("*/model.safetensors.index.json"):
        tensors = list(json.loads(index.read_text())["weight_map"])
        write(folder, "checkpoint_index_fuzz", index.parent.name,
              index.read_bytes() + b"\0" + json.dumps(tensors).encode())
    for config in EXPORTS.glob("*/config.json"):
        write(folder, "checkpoint_config_fuzz", config.parent.name, config.read_bytes())


class GgufFront:
    """Walks over a GGUF up to where its data begins."""

    SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def __init__(self, data: bytes):
        self.data, self.place = data, 24
        tensors, entries = struct.unpack_from("<QQ", data, 8)
        for _ in range(entries):
            self.skip_text()
            self.skip_value(self.number("I"))
        for _ in range(tensors):
            self.skip_text()
            rank = self.number("I")
            self.place += 8 * rank + 4 + 8  # dimensions, type, offset
        self.bytes = -(-self.place // 32) * 32

    def number(self, code: str) -> int:
        value = struct.unpack_from("<" + code, self.data, self.place)[0]
        self.place += struct.calcsize("<" + code)
        return value

    def skip_text(self) -> None:
        length = self.number("Q")
        self.place += length

    def skip_value(self, kind: int) -> None:
        if kind == 8:
            self.skip_text()
        elif kind == 9:
            kind, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip_value(kind)
        else:
            self.place += self.SIZES[kind]


def gguf_seeds(folder: pathlib.Path) -> None:
    for file in (GOLDEN / "gguf").glob("*.gguf"):
        data = file.read_bytes()
        front = GgufFront(data).bytes
        write(folder, "checkpoint_gguf_fuzz", file.stem,
              struct.pack("<I", len(data) - front) + data[:front])


def smaller_tokenizer(tokenizer: dict) -> dict:
    """The same with the first tokens of its vocabulary alone, and the merges of those."""
    model = tokenizer["model"]
    added = {token["content"] for token in tokenizer.get("added_tokens", [])}
    vocabulary = {token: number for token, number in model["vocab"].items()
                  if number < VOCABULARY_KEPT or token in added}
    merges = (merge if isinstance(merge, list) else merge.split(" ")
              for merge in model.get("merges", []))
    model["merges"] = [[left, right] for left, right in merges
                       if {left, right, left + right} <= vocabulary.keys()]
    model["vocab"] = vocabulary
    return tokenizer


def tokenizer_seeds(folder: pathlib.Path) -> None:
    files = [*GOLDEN.glob("*/tokenizer.json"), *EXPORTS.glob("*/tokenizer.json"),
             *TEXT.glob("*.tokenizer.json")]
    for file in files:
        config = file.with_name("tokenizer_config.json")
        behind = b"\0" + config.read_bytes() if config.exists() else b""
        name = f"{file.parent.name}_{file.name}"
        small = json.dumps(smaller_tokenizer(json.loads(file.read_text())), ensure_ascii=False)
        write(folder, "text_json_fuzz", name + "_small", small.encode() + behind)
        write(folder, "text_json_fuzz", name, file.read_bytes() + behind)


def smaller_graph(text: str) -> str:
    """The ports and states, what the outputs come from, and of each other type one layer; what took
    from a layer that is gone takes from the first one."""
    net = ElementTree.fromstring(text)
    layers, edges = net.find("layers"), net.find("edges")
    results = {layer.get("id") for layer in layers if layer.get("type") == "Result"}
    kept = {edge.get("from-layer") for edge in edges if edge.get("to-layer") in results}
    types = set()
    for layer in list(layers):
        kind = layer.get("type")
        is_wanted = kind in ("Parameter", "Result", "ReadValue", "Assign") or kind not in types
        if is_wanted or layer.get("id") in kept:
            types.add(kind)
            kept.add(layer.get("id"))
            layer[:] = [part for part in layer if part.tag != "rt_info"]
        else:
            layers.remove(layer)
    first = layers[0]
    for edge in list(edges):
        if edge.get("to-layer") not in kept:
            edges.remove(edge)
        elif edge.get("from-layer") not in kept:
            edge.set("from-layer", first.get("id"))
            edge.set("from-port", first.find("output/port").get("id"))
    for part in net.findall("rt_info"):
        net.remove(part)
    return ElementTree.tostring(net, encoding="unicode")


def graph_seeds(folder: pathlib.Path) -> None:
    for file in EXPORTS.glob("*/openvino_model.xml"):
        graph = smaller_graph(file.read_text()).encode()
        for fuzzer in ("npu_ir_fuzz", "npu_export_fuzz"):
            write(folder, fuzzer, file.parent.name, graph)


def hub_seeds(folder: pathlib.Path) -> None:
    def seed(name: str, model: str, index: bytes, files: list[str]) -> None:
        listing = {"sha": "0123456789abcdef" * 2 + "01234567",
                   "siblings": [{"rfilename": file} for file in files]}
        write(folder, "hub_listing_fuzz", name,
              b"\0".join((json.dumps(listing).encode(), index, model.encode())))

    plain = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]
    index = (GOLDEN / "qwen2/model.safetensors.index.json").read_bytes()
    shards = [path.name for path in (GOLDEN / "qwen2").glob("model*")]
    seed("single", "owner/name", b"{}", plain + ["model.safetensors"])
    seed("shards", "owner/name@main", index, plain + shards)
    seed("gguf", "owner/name@v1.0:deep/b-00001-of-00002.gguf", b"{}",
         ["a.gguf", "deep/b-00001-of-00002.gguf", "deep/b-00002-of-00002.gguf"])
    seed("export", "owner/name", b"{}",
         plain + ["openvino_model.xml", "openvino_model.bin", "openvino_config.json"])


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for make in (checkpoint_seeds, gguf_seeds, tokenizer_seeds, graph_seeds, hub_seeds):
        make(target)
    for name in READERS:
        (target / f"{name}.dict").write_text(dictionary(name))
