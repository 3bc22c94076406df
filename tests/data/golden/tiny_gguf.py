# GGUF files from the weights of a Hugging Face model, in any block type that Ovenbird reads. In: a
# name -> f32 array dictionary under Hugging Face names. Out: a .gguf file, and the weights that lie
# in it, dequantized by gguf-py: the reference is computed from those.
#
# gguf-py can write Q4_0 ... Q8_0 but only read the K types; those are packed here, plainly (no
# search for better scales): what matters is that the file says one thing and says it exactly.
import struct

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFWriter, TokenType, quants

from gguf_families import (add_family_keys, architecture, as_trained, extra_tensors, gguf_name,
                           parts_of, stored)
from tiny_tokenizers import CHAT_TEMPLATE

K_BLOCK = 256


# ---- the K blocks: 256 numbers, 8 groups of 32 (Q4_K, Q5_K) or 16 groups of 16 (Q6_K)

def pack_scales(scales, minima):
    """Eight 6-bit scales and eight 6-bit minima -> 12 bytes. [blocks, 8] each."""
    out = np.zeros((len(scales), 12), np.uint8)
    out[:, 0:4] = (scales[:, :4] & 63) | (scales[:, 4:] >> 4 << 6)
    out[:, 4:8] = (minima[:, :4] & 63) | (minima[:, 4:] >> 4 << 6)
    out[:, 8:12] = (scales[:, 4:] & 15) | ((minima[:, 4:] & 15) << 4)
    return out


def pack_q45_k(weight, bits):
    """Q4_K (bits = 4) or Q5_K (bits = 5): number = d * scale * q - dmin * minimum."""
    groups = weight.reshape(-1, 8, 32).astype(np.float64)
    highest = (1 << bits) - 1
    low = np.maximum(-groups.min(axis=2), 0)
    step = (groups.max(axis=2) + low) / highest
    d = (step.max(axis=1) / 63).astype(np.float16)
    dmin = (low.max(axis=1) / 63).astype(np.float16)
    d64, dmin64 = d.astype(np.float64)[:, None], dmin.astype(np.float64)[:, None]
    scales = np.clip(np.round(step / np.maximum(d64, 1e-12)), 1, 63).astype(np.uint8)
    minima = np.clip(np.round(low / np.maximum(dmin64, 1e-12)), 0, 63).astype(np.uint8)
    shifted = groups + (dmin64 * minima)[:, :, None]
    q = np.clip(np.round(shifted / (d64 * scales)[:, :, None]), 0, highest).astype(np.uint8)

    low_bits = q & 15
    nibbles = low_bits[:, 0::2] | (low_bits[:, 1::2] << 4)  # groups 2i and 2i+1 share 32 bytes
    parts = [as_bytes(d), as_bytes(dmin), pack_scales(scales, minima)]
    if bits == 5:
        fifth = (q >> 4) << np.arange(8, dtype=np.uint8)[None, :, None]
        parts.append(np.bitwise_or.reduce(fifth, axis=1))
    parts.append(nibbles.reshape(len(q), 128))
    return as_rows(parts, weight)


def pack_q6_k(weight):
    """Q6_K: number = d * scale * (q - 32), scales signed bytes."""
    groups = weight.reshape(-1, 16, 16).astype(np.float64)
    step = np.abs(groups).max(axis=2) / 31
    d = (step.max(axis=1) / 127).astype(np.float16)
    d64 = d.astype(np.float64)[:, None]
    scales = np.clip(np.round(step / np.maximum(d64, 1e-12)), 1, 127).astype(np.int8)
    q = np.round(groups / (d64 * scales)[:, :, None])
    q = (np.clip(q, -32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)  # two halves of 4 x 32
    low, high = q & 15, q >> 4
    ql = low[:, :, 0:2] | (low[:, :, 2:4] << 4)
    qh = high[:, :, 0] | (high[:, :, 1] << 2) | (high[:, :, 2] << 4) | (high[:, :, 3] << 6)
    blocks = len(q)
    return as_rows([ql.reshape(blocks, 128), qh.reshape(blocks, 64),
                    scales.view(np.uint8), as_bytes(d)], weight)


def as_bytes(halves):
    return halves.reshape(-1, 1).view(np.uint8)


def as_rows(parts, weight):
    blocks = np.concatenate(parts, axis=1)
    return blocks.reshape(weight.shape[0], -1)


def pack(weight, kind):
    """f32 [rows, columns] -> what lies in the file, and back again within the type's error."""
    if kind in (Type.Q4_K, Type.Q5_K):
        packed = pack_q45_k(weight, 4 if kind == Type.Q4_K else 5)
    elif kind == Type.Q6_K:
        packed = pack_q6_k(weight)
    else:
        packed = quants.quantize(weight, kind)
    error = np.abs(quants.dequantize(packed, kind).reshape(weight.shape) - weight).max()
    assert error < np.abs(weight).max() * 0.12, f"{kind.name}: packed wrongly, error {error}"
    return packed


# ---- the file

def write_gguf(path, config, weights, kind_of, tiny, pre, version=3, frequency_divisors=None):
    """Writes one GGUF file.

    kind_of: GGUF name -> Type for matrices; vectors are always F32.
    frequency_divisors: [head_dim / 2] or None; GGUF's form of llama3 rope scaling.
    """
    writer = GGUFWriter(path, architecture(config))
    writer.add_name(path.stem)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    add_family_keys(writer, config)
    add_tokenizer(writer, tiny, pre)
    for whole, numbers in weights.items():
        for name, where in parts_of(whole, numbers.shape):
            part = stored(name, numbers[:, where] if numbers.ndim == 3 else numbers, config)
            there = gguf_name(name, config)
            kind = Type.F32 if part.ndim == 1 else kind_of(there)
            writer.add_tensor(there, pack(part, kind), raw_dtype=kind)
    for name, vector in extra_tensors(config).items():
        writer.add_tensor(name, vector)
    if frequency_divisors is not None:
        writer.add_tensor("rope_freqs.weight", frequency_divisors.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if version != 3:  # versions 2 and 3 differ in this number only (little-endian files)
        with open(path, "r+b") as file:
            file.seek(4)
            file.write(struct.pack("<I", version))


def add_tokenizer(writer, tiny, pre):
    writer.add_tokenizer_model(tiny.kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tiny.tokens)
    writer.add_token_types([TokenType(kind) for kind in tiny.types])
    writer.add_eos_token_id(tiny.eos)
    if tiny.bos is not None:
        writer.add_bos_token_id(tiny.bos)
    writer.add_add_bos_token(tiny.kind == "llama")
    if tiny.kind == "llama":
        writer.add_token_scores(tiny.scores)
        writer.add_unk_token_id(0)
        writer.add_add_space_prefix(True)
    else:
        writer.add_token_merges([f"{left} {right}" for left, right in tiny.merges])
        writer.add_chat_template(CHAT_TEMPLATE)


def read_weights(path, config, shapes):
    """The weights as they lie in the file, dequantized, under Hugging Face names.

    shapes: Hugging Face name -> shape
    """
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}

    def read(name):
        tensor = tensors[gguf_name(name, config)]
        shape = [int(size) for size in tensor.shape][::-1]
        weight = quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        return as_trained(name, weight, config)

    out = {}
    for whole, shape in shapes.items():
        parts = [read(name) for name, _ in parts_of(whole, shape)]
        out[whole] = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    return out
