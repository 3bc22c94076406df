"""Makes the golden data of tests/checkpoint: blocks with their numbers, and rotation frequencies.

The references are gguf-py (dequantize) and transformers (rotary embedding), in the versions of
scripts/requirements-reference.txt:

    reference/bin/pip install -r scripts/requirements-reference.txt
    reference/bin/python tests/data/checkpoint/make_goldens.py

blocks_TYPE.bin: u32 count of blocks, u32 bytes of one, u32 numbers of one, all blocks, then all
their numbers as f32; little-endian.
rope.json: a list of {"head_dim", "theta", "scaling", ..., "frequencies"}.
"""

import json
import pathlib
import struct

import gguf
import numpy as np
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

HERE = pathlib.Path(__file__).parent
RANDOM_BLOCKS = 5
# f16 scales that go wrong first: both zeros, the smallest subnormal, the largest number, a negative
# one, infinity.
EDGE_SCALES = [0.0, -0.0, 2.0**-24, 65504.0, -0.3333, float("inf")]

# Where the f16 fields of a block lie, in bytes.
SCALES = {
    "F32": [], "F16": [0], "BF16": [],
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}  # fmt: skip


def make_blocks(name: str) -> None:
    kind = gguf.GGMLQuantizationType[name]
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    random = np.random.default_rng(int(kind) + 1)
    blocks = random.integers(0, 256, (RANDOM_BLOCKS + len(EDGE_SCALES), size), dtype=np.uint8)
    for index, block in enumerate(blocks):
        for at in SCALES[name]:
            edge = index - RANDOM_BLOCKS
            scale = EDGE_SCALES[edge] if edge >= 0 else random.normal(0, 0.1)
            block[at : at + 2] = np.array([scale], np.float16).view(np.uint8)
        if name == "F32":
            block[:] = np.array([random.normal()], np.float32).view(np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        values = gguf.quants.dequantize(blocks, kind).astype(np.float32)
    header = struct.pack("<III", len(blocks), size, numbers)
    (HERE / f"blocks_{name}.bin").write_bytes(header + blocks.tobytes() + values.tobytes())


def llama3(factor: float, low: float, high: float, original: int) -> dict:
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": original,
    }


def yarn(factor: float, original: int, **more: object) -> dict:
    return {
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": original,
        **more,
    }


def longrope(original: int) -> dict:
    return {
        "rope_type": "longrope",
        "short_factor": [1.0, 1.25, 1.5, 2.0],
        "long_factor": [1.0, 2.0, 8.0, 24.0],
        "original_max_position_embeddings": original,
    }


# Head size, theta, scaling, and for how many tokens.
ROPES = [
    (64, 10000.0, {"rope_type": "default"}),
    (128, 1000000.0, {"rope_type": "default"}),
    (16, 10000.0, {"rope_type": "linear", "factor": 4.0}),
    (128, 500000.0, llama3(8.0, 1.0, 4.0, 8192)),
    (64, 500000.0, llama3(32.0, 1.0, 4.0, 8192)),
    (16, 500000.0, llama3(8.0, 1.0, 4.0, 32)),
    (32, 20000.0, llama3(2.5, 1.5, 6.0, 100)),
    (64, 1000000.0, yarn(4.0, 32768)),
    (128, 10000.0, yarn(40.0, 4096, beta_fast=16.0, beta_slow=2.0, mscale=0.707, mscale_all_dim=1.0)),
    (16, 10000.0, yarn(2.0, 64, attention_factor=1.25, truncate=False)),
    (8, 10000.0, longrope(4096), 4096),
    (8, 10000.0, longrope(4096), 4097),
]


def make_rope() -> None:
    cases = []
    for head_dim, theta, scaling, *tokens in ROPES:
        config = LlamaConfig(
            hidden_size=head_dim,
            num_attention_heads=1,
            head_dim=head_dim,
            max_position_embeddings=131072,
            rope_parameters={"rope_theta": theta, **scaling},
        )
        rope = LlamaRotaryEmbedding(config)
        case = {"head_dim": head_dim, "theta": theta, "scaling": scaling}
        if tokens:
            case["tokens"] = tokens[0]
            rope(torch.zeros(1, 1), torch.arange(tokens[0])[None])  # chooses its factors
        if rope.attention_scaling != 1:
            case["attention_factor"] = rope.attention_scaling
        cases.append({**case, "frequencies": rope.inv_freq.to(torch.float64).tolist()})
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "rope.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    for type_name in SCALES:
        make_blocks(type_name)
    make_rope()
