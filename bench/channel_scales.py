#!/usr/bin/env python3
# AWQ's scales of channels (Lin et al. 2023), folded into a copy of a llama checkpoint: every input
# channel of a group of matrices is multiplied by s, and what makes that channel divided by it, so
# the model stays the same function and only rounds differently. For seeing what they would bring
# before, or instead of, `ovenbird bake --calibrate`. Needs scripts/requirements-reference.txt.
#
#     channel_scales.py CHECKPOINT OUT --text FILE [--group-size N]
#
# s = mean(|x|)^a; a, of 0, 0.1, ... 1, is the one of the least squared error of the matrices'
# outputs over the text, each rounded as a bake without a text rounds. Prints a and that error
# relative to a = 0.
import argparse
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

WINDOWS, WINDOW = 24, 128  # tokens of the text that the errors are taken over
ENDS = (-8, -7, -7.5, 7.5, 8, -8.5, 8.5)  # what a group's largest weight becomes, tried in turn


def rounded(weights, group_size):
    """Symmetric int4, of each group the scale of the least error weighted by |w|."""
    rows, columns = weights.shape
    padded = torch.nn.functional.pad(weights, (0, -columns % group_size))
    groups = padded.view(rows, -1, group_size)
    extreme = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))
    best, least = None, None
    for end in ENDS:
        scale = torch.where(extreme == 0, torch.ones_like(extreme), extreme / end)
        tried = (groups / scale).round().clamp(-8, 7) * scale
        loss = (groups.abs() * (tried - groups) ** 2).sum(-1, keepdim=True)
        if best is None:
            best, least = tried, loss
        best = torch.where(loss < least, tried, best)
        least = torch.minimum(loss, least)
    return best.view(rows, -1)[:, :columns]


def search(inputs, matrices, group_size, shared=lambda size: size):
    """The scales of the least error, their exponent, the error relative to none.

    `shared` gives channels that one channel makes (heads over one key and value) one size.
    """
    size = shared(inputs.abs().mean(0))
    size = size.clamp(min=1e-4 * size.max())
    products = inputs.T @ inputs
    losses = {}
    for tenth in range(11):
        scales = size ** (tenth / 10)
        scales = scales / (scales.max() * scales.min()).sqrt()
        loss = 0.0
        for matrix in matrices:
            error = rounded(matrix.weight * scales, group_size) / scales - matrix.weight
            loss += ((error @ products) * error).sum().item()
        losses[tenth] = (loss, scales)
    best = min(losses, key=lambda tenth: losses[tenth][0])
    return losses[best][1], best / 10, losses[best][0] / losses[0][0]


def inputs_of_layers(model, windows):
    """Per layer and kind of matrix, what it multiplies: [tokens, columns]."""
    seen, hooks = [], []
    for layer in model.model.layers:
        kinds = {"qkv": layer.self_attn.q_proj, "output": layer.self_attn.o_proj,
                 "gate_up": layer.mlp.gate_proj, "down": layer.mlp.down_proj}
        seen.append({})
        for kind, matrix in kinds.items():
            def keep(_, inputs, kind=kind, of=seen[-1]):
                of[kind] = inputs[0].reshape(-1, inputs[0].shape[-1])
            hooks.append(matrix.register_forward_pre_hook(keep))
    model(windows)
    for hook in hooks:
        hook.remove()
    return seen


def scale_layer(layer, seen, config, group_size):
    attention, mlp = layer.self_attn, layer.mlp
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads

    def shared(size):
        by_head = size.view(kv_heads, heads // kv_heads, -1)
        return by_head.mean(1, keepdim=True).expand_as(by_head).reshape(-1)

    steps = {"qkv": (attention.q_proj, attention.k_proj, attention.v_proj),
             "output": (attention.o_proj,), "gate_up": (mlp.gate_proj, mlp.up_proj),
             "down": (mlp.down_proj,)}
    told = []
    for kind, matrices in steps.items():
        scales, exponent, error = search(seen[kind], matrices, group_size,
                                         *((shared,) if kind == "output" else ()))
        told.append(f"{kind} {exponent:.1f} {error:.3f}")
        for matrix in matrices:
            matrix.weight.mul_(scales)
        if kind == "qkv":
            layer.input_layernorm.weight.div_(scales)
        elif kind == "output":
            first = scales.view(kv_heads, heads // kv_heads, -1)[:, 0].reshape(-1, 1)
            attention.v_proj.weight.div_(first)
        elif kind == "gate_up":
            layer.post_attention_layernorm.weight.div_(scales)
        else:
            mlp.up_proj.weight.div_(scales[:, None])
    return ", ".join(told)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description="AWQ's channel scales in a copy of a checkpoint.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--group-size", type=int, default=128)
    asked = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(asked.checkpoint, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(asked.checkpoint)(asked.text.read_text()).input_ids
    firsts = [(len(ids) - WINDOW) * window // (WINDOWS - 1) for window in range(WINDOWS)]
    windows = torch.tensor([ids[first:first + WINDOW] for first in firsts])
    seen = inputs_of_layers(model, windows)
    for index, layer in enumerate(model.model.layers):
        print(index, scale_layer(layer, seen[index], model.config, asked.group_size), flush=True)
    model.save_pretrained(asked.out)
    for file in asked.checkpoint.glob("token*"):
        shutil.copy(file, asked.out)


if __name__ == "__main__":
    main()
