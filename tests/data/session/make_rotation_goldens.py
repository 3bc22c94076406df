#!/usr/bin/env python3
"""Writes rotation_goldens.txt: keys with the rotary embedding of two positions.

Reference: LlamaRotaryEmbedding and apply_rotary_pos_emb of Hugging Face transformers, in float32.
Made with transformers 5.23.0, torch 2.13.0 (CPU), Python 3.11:

    python3 tests/data/session/make_rotation_goldens.py > tests/data/session/rotation_goldens.txt

Positions stay below 300: transformers multiplies them with float32 frequencies, whose error grows
with the position and would drown what is tested.
"""

import torch
import transformers
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}


def embed(rotary, keys, first_position):
    rows = keys.shape[2]
    positions = torch.arange(first_position, first_position + rows)[None]
    cos, sin = rotary(keys, positions)
    return apply_rotary_pos_emb(keys, keys, cos, sin)[1]


def write(name, head_dim, old_position, new_position, rope, heads=2, rows=3):
    config = transformers.LlamaConfig(
        hidden_size=head_dim, num_attention_heads=1, head_dim=head_dim, rope_parameters=rope,
        max_position_embeddings=512,
    )
    rotary = LlamaRotaryEmbedding(config)
    keys = torch.randn(1, heads, rows, head_dim)
    print("case", name, heads, rows, head_dim, old_position, new_position)
    print(*(f"{x:.9g}" for x in rotary.inv_freq.tolist()))
    for position in (old_position, new_position):
        print(*(f"{x:.9g}" for x in embed(rotary, keys, position).flatten().tolist()))


def main():
    torch.manual_seed(1)
    print(f"# transformers {transformers.__version__}, torch {torch.__version__}")
    plain = {"rope_type": "default", "rope_theta": 10000.0}
    write("back", 16, 200, 7, plain)
    write("forth", 16, 0, 250, plain)
    write("llama3_scaling", 32, 290, 33, LLAMA3)
    write("head_dim_that_is_no_multiple_of_16", 20, 100, 99, plain)


main()
