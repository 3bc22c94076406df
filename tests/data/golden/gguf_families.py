# What llama.cpp's converter makes of each family: the names of tensors (gguf-py's own table), which
# of them it changes on the way, and the metadata beside the counts that all families have.
import numpy as np
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, RopeScalingType, get_tensor_name_map

ARCHITECTURES = {
    "llama": MODEL_ARCH.LLAMA, "mixtral": MODEL_ARCH.LLAMA, "qwen2": MODEL_ARCH.QWEN2,
    "qwen3": MODEL_ARCH.QWEN3, "qwen3_moe": MODEL_ARCH.QWEN3MOE, "phi3": MODEL_ARCH.PHI3,
    "gemma2": MODEL_ARCH.GEMMA2, "gemma3_text": MODEL_ARCH.GEMMA3,
    "smollm3": MODEL_ARCH.SMOLLM3, "granite": MODEL_ARCH.GRANITE, "olmo2": MODEL_ARCH.OLMO2,
}
# llama.cpp rotates neighbours (LLAMA_ROPE_TYPE_NORM) in these, halves (_NEOX) in the others.
INTERLEAVED = ("llama", "mixtral", "smollm3", "granite")


def architecture(config):
    return MODEL_ARCH_NAMES[ARCHITECTURES[config["model_type"]]]


def gguf_name(name, config):
    """Hugging Face's name of a weight -> GGUF's."""
    known = get_tensor_name_map(ARCHITECTURES[config["model_type"]], config["num_hidden_layers"])
    found = known.get_name(name, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise KeyError(name)
    return found


# ---- tensors

def parts_of(name, shape):
    """The tensors that a weight of transformers becomes: names, and where they lie in its second
    dimension. Only experts, whose gate and up it holds as one, become more than one."""
    if name.endswith("experts.gate_up_proj"):
        half = shape[1] // 2
        stem = name.removesuffix("gate_up_proj")
        return [(f"{stem}gate_proj.weight", slice(0, half)),
                (f"{stem}up_proj.weight", slice(half, None))]
    if name.endswith("experts.down_proj"):
        return [(f"{name}.weight", slice(None))]
    return [(name, slice(None))]


def interleave(weight, heads):
    """Rows (first half, second half) of each head -> neighbours."""
    rows = weight.reshape(heads, 2, -1, *weight.shape[1:])
    return rows.swapaxes(1, 2).reshape(weight.shape)


def deinterleave(weight, heads):
    rows = weight.reshape(heads, -1, 2, *weight.shape[1:])
    return rows.swapaxes(1, 2).reshape(weight.shape)


def interleaved_heads(name, config):
    """How many heads lie in the rows of `name`, or 0 if its rows stay as they are."""
    if config["model_type"] not in INTERLEAVED:
        return 0
    if ".q_proj." in name:
        return config["num_attention_heads"]
    return config["num_key_value_heads"] if ".k_proj." in name else 0


def norm_offset(name, config):
    """Gemma's norms multiply by 1 + w; a GGUF holds the sum."""
    is_gemma = config["model_type"].startswith("gemma")
    return 1 if is_gemma and name.endswith("norm.weight") else 0


def stored(name, weight, config):
    heads = interleaved_heads(name, config)
    return (interleave(weight, heads) if heads else weight) + np.float32(norm_offset(name, config))


def as_trained(name, weight, config):
    heads = interleaved_heads(name, config)
    weight = deinterleave(weight, heads) if heads else weight
    return (weight - np.float32(norm_offset(name, config))).astype(np.float32)


def extra_tensors(config):
    """GGUF name -> f32 vector: what longrope divides by."""
    scaling = config.get("rope_scaling") or {}
    if scaling.get("type") != "longrope":
        return {}
    return {f"rope_factors_{length}.weight": np.array(scaling[f"{length}_factor"], np.float32)
            for length in ("long", "short")}


# ---- metadata

def add_family_keys(writer, config):
    family = config["model_type"]
    add_rotation(writer, config)
    if "head_dim" in config:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    if family == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if family in ("gemma2", "gemma3_text", "phi3"):
        writer.add_sliding_window(config["sliding_window"] or 0)
    if family == "gemma3_text":  # the converter leaves it out: 6 is taken for granted
        writer.add_sliding_window_pattern(config["sliding_window_pattern"])
    if family == "granite":
        writer.add_embedding_scale(config["embedding_multiplier"])
        writer.add_attention_scale(config["attention_multiplier"])
        writer.add_residual_scale(config["residual_multiplier"])
        writer.add_logit_scale(config["logits_scaling"])
    if family in ("mixtral", "qwen3_moe"):
        experts = "num_local_experts" if family == "mixtral" else "num_experts"
        writer.add_expert_count(config[experts])
        writer.add_expert_used_count(config["num_experts_per_tok"])
    if family == "qwen3_moe":
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])


def add_rotation(writer, config):
    head_dim = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    if config["model_type"] in (*INTERLEAVED, "phi3"):
        writer.add_rope_dimension_count(int(head_dim * config.get("partial_rotary_factor", 1)))
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind in ("linear", "yarn"):
        is_yarn = kind == "yarn"
        writer.add_rope_scaling_type(RopeScalingType.YARN if is_yarn else RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    if kind == "longrope":
        original = config["original_max_position_embeddings"]
        stretched = config["max_position_embeddings"] / original
        inferred = (1 + np.log(stretched) / np.log(original)) ** 0.5 if stretched > 1 else 1
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(float(scaling.get("attention_factor", inferred)))
