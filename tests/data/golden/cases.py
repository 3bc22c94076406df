# What the golden checkpoints are: each case names the features that only it has. Data, and the
# block types of the GGUF files; make_goldens.py does the work.
from gguf import GGMLQuantizationType as Type

from tiny_tokenizers import byte_level, sentencepiece


def config(model_type, architecture, **more):
    """The keys that every config.json here has, in the words of published checkpoints."""
    common = dict(
        architectures=[architecture], model_type=model_type, hidden_act="silu", hidden_size=32,
        intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=300, max_position_embeddings=4096, rms_norm_eps=1e-5, rope_theta=10000.0,
        rope_scaling=None, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
        use_cache=True)
    return common | more


LLAMA3_SCALING = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                      original_max_position_embeddings=64)

HUGGING_FACE_CASES = [
    dict(name="llama_gqa", dtype="f32", tokenizer=sentencepiece,
         about="llama: grouped-query attention 4/2, own head, SentencePiece-style tokenizer",
         config=config("llama", "LlamaForCausalLM", vocab_size=360, torch_dtype="float32")),
    dict(name="llama3_rope_tied", dtype="bf16",
         about="llama: rope scaling llama3, tied head, 3 query heads over 1, odd width 48",
         config=config("llama", "LlamaForCausalLM", hidden_size=48, num_attention_heads=3,
                       num_key_value_heads=1, head_dim=16, intermediate_size=80,
                       rope_theta=500000.0, rope_scaling=LLAMA3_SCALING,
                       tie_word_embeddings=True, eos_token_id=[2, 0], dtype="bfloat16")),
    dict(name="llama_linear_bias", dtype="f16",
         about="llama: rope scaling linear, a bias on every projection of attention and MLP",
         config=config("llama", "LlamaForCausalLM", attention_bias=True, mlp_bias=True,
                       rope_scaling=dict(type="linear", factor=4.0), torch_dtype="float16")),
    dict(name="llama_mha", dtype="bf16",
         about="llama: as many key heads as query heads, rope in the newer form rope_parameters, "
               "an epsilon of the norms that is large enough to be seen",
         config={key: value for key, value in config(
             "llama", "LlamaForCausalLM", num_key_value_heads=4, rms_norm_eps=0.01,
             dtype="bfloat16", rope_parameters=dict(rope_type="default", rope_theta=20000.0)
             ).items()
             if key not in ("rope_theta", "rope_scaling")}),
    dict(name="mistral", dtype="f16",
         about="mistral: head_dim 16 where hidden / heads is 8, no sliding window",
         config=config("mistral", "MistralForCausalLM", head_dim=16, sliding_window=None,
                       rope_theta=1000000.0, torch_dtype="float16")),
    dict(name="qwen2", dtype="bf16", shards=2, tokenizer=byte_level,
         about="qwen2: bias on query, key and value, two files with an index, byte-level tokenizer",
         config=config("qwen2", "Qwen2ForCausalLM", vocab_size=360, rms_norm_eps=1e-6,
                       rope_theta=1000000.0, sliding_window=64, use_sliding_window=False,
                       max_window_layers=2, bos_token_id=0, torch_dtype="bfloat16")),
    dict(name="qwen3", dtype="bf16",
         about="qwen3: a norm on every query and key head, head_dim 16 where hidden / heads is 8, "
               "tied head",
         config=config("qwen3", "Qwen3ForCausalLM", head_dim=16, attention_bias=False,
                       rms_norm_eps=1e-6, rope_theta=1000000.0, tie_word_embeddings=True,
                       bos_token_id=0, dtype="bfloat16")),
    dict(name="qwen3_yarn", dtype="bf16",
         about="qwen3: rope scaling yarn, which stretches some rotations and sharpens attention",
         config=config("qwen3", "Qwen3ForCausalLM", head_dim=16, attention_bias=True,
                       rope_theta=1000000.0, bos_token_id=0, dtype="bfloat16",
                       rope_scaling=dict(rope_type="yarn", factor=4.0,
                                         original_max_position_embeddings=64))),
    dict(name="mistral_sliding", dtype="f16",
         about="mistral: every layer sees the newest 24 tokens only",
         config=config("mistral", "MistralForCausalLM", sliding_window=24,
                       torch_dtype="float16")),
    dict(name="phi3_short_rope", dtype="bf16",
         about="phi3: fused projections, three quarters of each head rotated, longrope within its "
               "original context, a sliding window of 32 in every layer",
         config=config("phi3", "Phi3ForCausalLM", hidden_size=64, sliding_window=32, pad_token_id=0,
                       partial_rotary_factor=0.75, original_max_position_embeddings=2048,
                       rope_scaling=dict(type="longrope",
                                         short_factor=[1.0, 1.1, 1.3, 1.5, 2.0, 2.5],
                                         long_factor=[1.0, 1.5, 3.0, 6.0, 12.0, 24.0]),
                       torch_dtype="bfloat16")),
    dict(name="phi3_long_rope", dtype="bf16",
         about="phi3: fused projections, longrope beyond its original context, no window, tied",
         config=config("phi3", "Phi3ForCausalLM", sliding_window=None, pad_token_id=0,
                       original_max_position_embeddings=8, tie_word_embeddings=True,
                       rope_scaling=dict(type="longrope", attention_factor=1.2,
                                         short_factor=[1.0, 1.2, 1.5, 2.0],
                                         long_factor=[1.0, 2.0, 4.0, 8.0]),
                       torch_dtype="bfloat16")),
    dict(name="gemma2", dtype="f32", tokenizer=sentencepiece, shrink=0.18,
         about="gemma2: norms of 1 + w before and after each part, soft caps on scores and logits, "
               "window 24 in every second layer, scores by query_pre_attn_scalar, tied",
         config=config("gemma2", "Gemma2ForCausalLM", num_hidden_layers=3, head_dim=16,
                       hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh",
                       rms_norm_eps=1e-6, query_pre_attn_scalar=8, sliding_window=24,
                       attn_logit_softcapping=6.0, final_logit_softcapping=10.0, vocab_size=360,
                       tie_word_embeddings=True, torch_dtype="float32")),
    dict(name="gemma3", dtype="bf16", shrink=0.18,
         about="gemma3: two ropes, one of them scaled, window 24 in all but every third layer, "
               "norms of query and key heads",
         config=config("gemma3_text", "Gemma3ForCausalLM", num_hidden_layers=4, head_dim=16,
                       hidden_activation="gelu_pytorch_tanh", rms_norm_eps=1e-6,
                       query_pre_attn_scalar=12, sliding_window=24, sliding_window_pattern=3,
                       rope_theta=1000000.0, rope_local_base_freq=10000.0,
                       rope_scaling=dict(rope_type="linear", factor=8.0),
                       tie_word_embeddings=True, dtype="bfloat16")),
    dict(name="smollm3", dtype="bf16",
         about="smollm3: no rope in every second layer, tied",
         config=config("smollm3", "SmolLM3ForCausalLM", num_hidden_layers=4, pad_token_id=0,
                       no_rope_layers=[1, 0, 1, 0], rope_theta=50000.0, use_sliding_window=False,
                       sliding_window=None, tie_word_embeddings=True, dtype="bfloat16")),
    dict(name="granite", dtype="f16", shrink=0.3,
         about="granite: multipliers of embedding, attention, residual branches and logits, tied",
         config=config("granite", "GraniteForCausalLM", num_hidden_layers=3,
                       embedding_multiplier=3.0, attention_multiplier=0.25,
                       residual_multiplier=0.7, logits_scaling=2.0, tie_word_embeddings=True,
                       torch_dtype="float16")),
    dict(name="olmo2", dtype="f32",
         about="olmo2: norms after attention and MLP and none before, one norm over all query "
               "heads and one over all key heads",
         config=config("olmo2", "Olmo2ForCausalLM", rms_norm_eps=1e-6, rope_theta=500000.0,
                       torch_dtype="float32")),
    dict(name="mixtral", dtype="bf16",
         about="mixtral: two of four experts for each token, their shares summing to 1",
         config=config("mixtral", "MixtralForCausalLM", intermediate_size=32,
                       num_local_experts=4, num_experts_per_tok=2, rope_theta=1000000.0,
                       sliding_window=None, torch_dtype="bfloat16")),
    dict(name="qwen3_moe", dtype="bf16",
         about="qwen3_moe: three of six experts for each token in layers 0 and 2, their shares as "
               "they are, a plain MLP in layer 1",
         config=config("qwen3_moe", "Qwen3MoeForCausalLM", num_hidden_layers=3, head_dim=16,
                       num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16,
                       norm_topk_prob=False, mlp_only_layers=[1], decoder_sparse_step=1,
                       rope_theta=1000000.0, bos_token_id=0, dtype="bfloat16")),
]
BY_NAME = {case["name"]: case["config"] for case in HUGGING_FACE_CASES}

# Rows of 64 numbers cannot hold K blocks of 256, so attn_output and ffn_down take the plain types.
MIXED = {
    "token_embd.weight": Type.Q6_K,
    "blk.0.attn_q.weight": Type.Q4_K, "blk.1.attn_q.weight": Type.Q4_0,
    "blk.0.attn_k.weight": Type.Q5_K, "blk.1.attn_k.weight": Type.Q8_0,
    "blk.0.attn_v.weight": Type.Q6_K, "blk.1.attn_v.weight": Type.Q4_1,
    "blk.0.attn_output.weight": Type.Q4_0, "blk.1.attn_output.weight": Type.Q8_0,
    "blk.0.ffn_gate.weight": Type.Q4_1, "blk.1.ffn_gate.weight": Type.Q4_K,
    "blk.0.ffn_up.weight": Type.Q5_0, "blk.1.ffn_up.weight": Type.Q6_K,
    "blk.0.ffn_down.weight": Type.Q5_1, "blk.1.ffn_down.weight": Type.BF16,
}

GGUF_CASES = [
    dict(name="llama_f16", source="llama_gqa", config=BY_NAME["llama_gqa"], pre="default",
         tokenizer=sentencepiece, kind_of=lambda name: Type.F16,
         about="GGUF v3, llama in F16 with interleaved query and key rows, tokenizer 'llama'"),
    dict(name="llama3_rope_bf16", source="llama3_rope_tied", pre="smollm",
         config=BY_NAME["llama3_rope_tied"], tokenizer=byte_level,
         kind_of=lambda name: Type.BF16,
         about="GGUF v3, llama in BF16 with rope_freqs.weight and a tied head"),
    dict(name="qwen2_q8_0", source="qwen2", config=BY_NAME["qwen2"], pre="qwen2", version=2,
         tokenizer=byte_level, kind_of=lambda name: Type.Q8_0,
         about="GGUF v2, qwen2 in Q8_0, rows as they are, F32 biases"),
    dict(name="qwen3_bf16", source="qwen3", config=BY_NAME["qwen3"],
         pre="qwen2", tokenizer=byte_level, kind_of=lambda name: Type.BF16,
         about="GGUF v3, qwen3 in BF16 with query and key norms, key_length given, tied head"),
    dict(name="llama_mixed", dtype="f32", pre="smollm", tokenizer=byte_level,
         kind_of=lambda name: MIXED[name],
         config=config("llama", "LlamaForCausalLM", hidden_size=256, num_attention_heads=4,
                       num_key_value_heads=2, head_dim=16, intermediate_size=64,
                       vocab_size=320, tie_word_embeddings=True, torch_dtype="float32"),
         about="GGUF v3, llama with a different block type in every matrix: Q4_0, Q4_1, Q5_0, "
               "Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16; tokenizer 'gpt2' as SmolLM's"),
    # What a GGUF cannot say is changed: how Gemma scales its scores, which layers of SmolLM3 are not
    # rotated, that shares do not sum to 1. llama.cpp knows no bias of qwen3's attn_output. It seeks
    # tokens of Phi-3's own in a file whose name says "phi3".
    dict(name="gemma2_f16", source="gemma2", pre="default", tokenizer=sentencepiece,
         config=BY_NAME["gemma2"] | dict(query_pre_attn_scalar=16), shrink=0.18,
         kind_of=lambda name: Type.F16,
         about="GGUF v3, gemma2 in F16: norms with the 1 added, both soft caps, a window"),
    dict(name="gemma3_bf16", source="gemma3", pre="default", tokenizer=sentencepiece,
         config=BY_NAME["gemma3"] | dict(query_pre_attn_scalar=16), shrink=0.18,
         kind_of=lambda name: Type.BF16,
         about="GGUF v3, gemma3 in BF16: linear scaling of one rope, a pattern of windows"),
    dict(name="granite_f16", source="granite", pre="smollm", tokenizer=byte_level, shrink=0.3,
         config=BY_NAME["granite"], kind_of=lambda name: Type.F16,
         about="GGUF v3, granite in F16, interleaved rows, four multipliers"),
    dict(name="olmo2_f16", source="olmo2", pre="smollm", tokenizer=byte_level,
         config=BY_NAME["olmo2"], kind_of=lambda name: Type.F16,
         about="GGUF v3, olmo2 in F16, rows as they are, norms after attention and MLP"),
    dict(name="smollm3_bf16", source="smollm3", pre="smollm", tokenizer=byte_level,
         config=BY_NAME["smollm3"] | dict(no_rope_layers=[1, 1, 1, 0]),
         kind_of=lambda name: Type.BF16,
         about="GGUF v3, smollm3 in BF16, interleaved rows, layer 3 not rotated"),
    dict(name="qwen3_yarn_bf16", dtype="bf16", pre="qwen2", tokenizer=byte_level,
         config=BY_NAME["qwen3_yarn"] | dict(attention_bias=False, tie_word_embeddings=True),
         kind_of=lambda name: Type.BF16,
         about="GGUF v3, qwen3 in BF16, rope scaling yarn, without its directory's biases"),
    dict(name="phi_short_f16", dtype="f16", pre="default", tokenizer=sentencepiece,
         config=BY_NAME["phi3_short_rope"] | dict(
             hidden_size=32, tie_word_embeddings=True, vocab_size=360,
             rope_scaling=dict(type="longrope", short_factor=[1.0, 1.3, 2.0],
                               long_factor=[1.0, 3.0, 12.0])),
         kind_of=lambda name: Type.F16,
         about="GGUF v3, phi3 in F16: fused tensors, three quarters of a head rotated by the "
               "short factors, window 32"),
    dict(name="phi_long_bf16", source="phi3_long_rope", pre="smollm", tokenizer=byte_level,
         config=BY_NAME["phi3_long_rope"], kind_of=lambda name: Type.BF16,
         about="GGUF v3, phi3 in BF16: fused tensors, the long factors, no window"),
    dict(name="mixtral_bf16", source="mixtral", pre="smollm", tokenizer=byte_level,
         config=BY_NAME["mixtral"], kind_of=lambda name: Type.BF16,
         about="GGUF v3, a llama with experts in BF16, interleaved rows"),
    dict(name="qwen3_moe_bf16", dtype="bf16", pre="qwen2", tokenizer=byte_level,
         config=BY_NAME["qwen3_moe"] | dict(mlp_only_layers=[], norm_topk_prob=True,
                                            num_hidden_layers=2),
         kind_of=lambda name: Type.BF16,
         about="GGUF v3, qwen3moe in BF16: three of six experts, their shares summing to 1"),
]
