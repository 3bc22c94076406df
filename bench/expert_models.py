#!/usr/bin/env python3
"""Two random checkpoints that show what computing all experts costs: a mixture, and a dense model
as wide as the experts that a token chooses.

    expert_models.py OUT        # in the environment of scripts/requirements-reference.txt
    for model in mixture chosen; do
      ovenbird bake OUT/$model -o OUT/$model-baked
      ovenbird bench OUT/$model-baked --plan cached --recipe balanced --device CPU
    done
"""

import pathlib
import sys

import torch
from transformers import (Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM)

EXPERTS, CHOSEN, EXPERT_SIZE = 32, 4, 384
COMMON = {"vocab_size": 32000, "hidden_size": 1024, "num_hidden_layers": 8,
          "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64,
          "max_position_embeddings": 4096, "tie_word_embeddings": True}


def models():
    torch.manual_seed(1)
    yield "mixture", Qwen3MoeForCausalLM(Qwen3MoeConfig(
        **COMMON, intermediate_size=3072, moe_intermediate_size=EXPERT_SIZE, num_experts=EXPERTS,
        num_experts_per_tok=CHOSEN, decoder_sparse_step=1, mlp_only_layers=[], norm_topk_prob=True))
    yield "chosen", Qwen3ForCausalLM(Qwen3Config(**COMMON,
                                                 intermediate_size=CHOSEN * EXPERT_SIZE))


def main():
    out = pathlib.Path(sys.argv[1])
    for name, model in models():
        model.to(torch.bfloat16).save_pretrained(out / name)
        weights = sum(part.numel() for part in model.parameters())
        print(f"{out / name}: {weights / 1e6:.0f} million weights")


if __name__ == "__main__":
    main()
