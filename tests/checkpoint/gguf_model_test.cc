// What a GGUF means: configuration, special tokens, config.json, the order of rows and biases.
#include <nlohmann/json.hpp>
#include <vector>

#include <doctest/doctest.h>

#include "base/json.h"
#include "checkpoint/opened_gguf.h"

namespace ovenbird {
namespace {

TEST_CASE("the configuration is what the metadata says") {
  const Opened opened(good_gguf());
  const ModelConfig& config = opened.config();

  CHECK(config.architecture == Architecture::kLlama);
  CHECK(config.hidden == 8);
  CHECK(config.layers == 1);
  CHECK(config.heads == 2);
  CHECK(config.kv_heads == 1);
  CHECK(config.head_dim == 4);
  CHECK(config.intermediate == 12);
  CHECK(config.vocabulary == 5);
  CHECK(config.context == 64);
  CHECK(config.rms_epsilon == 1e-5f);
  CHECK(config.rope.theta == 10000.0);
  CHECK(config.tied_head);
  CHECK(config.query_key_norm == QueryKeyNorm::kNone);
  CHECK(opened.checkpoint->description() == "GGUF v3, Tiny, F32");
}

TEST_CASE("the vocabulary is what the metadata says") {
  TinyGguf file = good_gguf();
  file.set("tokenizer.ggml.add_space_prefix", gguf_bool(false));
  file.set("tokenizer.ggml.scores", gguf_f32s({0, -1, -2, -3, -4}));
  file.set("tokenizer.ggml.unknown_token_id", gguf_u32(UINT32_MAX));  // stands for "none"
  file.set("tokenizer.chat_template", gguf_text("{{ messages }}"));
  const Opened opened(file);
  const GgufVocabulary& vocabulary = opened.vocabulary();

  CHECK(vocabulary.model == "gpt2");
  CHECK(vocabulary.pre == "smollm");
  CHECK(vocabulary.tokens == std::vector<std::string>{"<s>", "</s>", "a", "b", "ab"});
  CHECK(vocabulary.types == std::vector<int32_t>{3, 3, 1, 1, 1});
  CHECK(vocabulary.scores == std::vector<float>{0, -1, -2, -3, -4});
  CHECK(vocabulary.merges == std::vector<std::string>{"a b"});
  CHECK(vocabulary.chat_template == "{{ messages }}");
  CHECK(vocabulary.bos_id == 0);
  CHECK(vocabulary.eos_id == 1);
  CHECK(!vocabulary.unknown_id);
  CHECK(vocabulary.add_space_prefix == false);
  CHECK(!vocabulary.add_bos);
}

TEST_CASE("every weight is found with its shape, and no others") {
  const Opened opened(good_gguf());
  const Checkpoint& checkpoint = *opened.checkpoint;

  const Tensor* down = checkpoint.find(Weight::kDown, 0);
  REQUIRE(down);
  CHECK(down->name == "blk.0.ffn_down.weight");
  CHECK(down->rows == 8);
  CHECK(down->columns == 12);
  CHECK(down->row_bytes() == 48);
  REQUIRE(checkpoint.find(Weight::kEmbedding));
  CHECK(checkpoint.find(Weight::kEmbedding, 7) == checkpoint.find(Weight::kEmbedding));
  CHECK(checkpoint.find(Weight::kFinalNorm)->rows == 1);
  CHECK(checkpoint.find(Weight::kHead) == nullptr);
  CHECK(checkpoint.find(Weight::kQueryBias, 0) == nullptr);
  CHECK(checkpoint.find(Weight::kQueryNorm, 0) == nullptr);
  CHECK(checkpoint.find(Weight::kDown, 1) == nullptr);
  checkpoint.release(*down);
  CHECK(row_of(*down, 7) == std::vector<float>(12));
}

TEST_CASE("an output.weight is a head of its own") {
  TinyGguf file = good_gguf();
  file.add_tensor("output.weight", {8, 5});
  const Opened opened(file);

  CHECK(!opened.config().tied_head);
  CHECK(opened.checkpoint->find(Weight::kHead)->rows == 5);
}

TEST_CASE("llama's biases come in the model's order, its matrices are marked") {
  TinyGguf file = good_gguf();
  file.add_floats("blk.0.attn_q.bias", {0, 2, 1, 3, 4, 6, 5, 7});
  file.add_floats("blk.0.attn_k.bias", {0, 2, 1, 3});
  file.add_floats("blk.0.attn_v.bias", {0, 1, 2, 3});
  const Opened opened(file);
  const Checkpoint& checkpoint = *opened.checkpoint;

  CHECK(checkpoint.find(Weight::kQuery, 0)->interleaved_heads == 2);
  CHECK(checkpoint.find(Weight::kKey, 0)->interleaved_heads == 1);
  CHECK(checkpoint.find(Weight::kValue, 0)->interleaved_heads == 0);
  const Tensor& query_bias = *checkpoint.find(Weight::kQueryBias, 0);
  CHECK(query_bias.interleaved_heads == 0);
  CHECK(row_of(query_bias, 0) == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(row_of(*checkpoint.find(Weight::kKeyBias, 0), 0) == std::vector<float>{0, 1, 2, 3});
  CHECK(row_of(*checkpoint.find(Weight::kValueBias, 0), 0) == std::vector<float>{0, 1, 2, 3});
  checkpoint.release(query_bias);  // lies in memory, not in the file: must not be dropped
  CHECK(row_of(query_bias, 0)[7] == 7);
  CHECK(opened.json()["attention_bias"] == true);
}

TEST_CASE("qwen2 and qwen3 keep their rows, qwen3 has norms on queries and keys") {
  const Opened qwen3(good_gguf_of("qwen3"));
  CHECK(qwen3.config().query_key_norm == QueryKeyNorm::kEachHead);
  CHECK(qwen3.checkpoint->find(Weight::kQuery, 0)->interleaved_heads == 0);
  CHECK(qwen3.checkpoint->find(Weight::kKeyNorm, 0)->columns == 4);
  CHECK(qwen3.json()["architectures"][0] == "Qwen3ForCausalLM");

  TinyGguf file = good_gguf_of("qwen2");
  file.add_floats("blk.0.attn_k.bias", {0, 1, 2, 3});
  const Opened qwen2(file);
  CHECK(row_of(*qwen2.checkpoint->find(Weight::kKeyBias, 0), 0) == std::vector<float>{0, 1, 2, 3});
  CHECK(qwen2.json()["model_type"] == "qwen2");
}

TEST_CASE("linear scaling is read in its old and new words, and not where it is none") {
  TinyGguf file = good_gguf();
  file.set("llama.rope.freq_base", gguf_f32(500000));
  file.set("llama.rope.scale_linear", gguf_f32(4));
  const Opened old_words(file);
  CHECK(old_words.config().rope.scaling == RopeScaling::kLinear);
  CHECK(old_words.config().rope.factor == 4);
  CHECK(old_words.config().rope.theta == 500000);
  CHECK(old_words.json()["rope_scaling"] ==
        nlohmann::json{{"rope_type", "linear"}, {"factor", 4.0}});

  file.set("llama.rope.scaling.factor", gguf_f32(2));
  file.set("llama.rope.scaling.type", gguf_text("linear"));
  CHECK(Opened(file).config().rope.factor == 2);

  file.set("llama.rope.scaling.type", gguf_text("none"));
  CHECK(Opened(file).config().rope.scaling == RopeScaling::kNone);
}

TEST_CASE("llama3 scaling is read from its divisors, and named in config.json") {
  TinyGguf file = good_gguf();
  file.add_floats("rope_freqs.weight", {1, 8});
  const Opened opened(file);

  CHECK(opened.config().rope.scaling == RopeScaling::kLlama3);
  CHECK(opened.config().rope.frequency_divisors == std::vector<float>{1, 8});
  CHECK(opened.json()["rope_scaling"]["rope_type"] == "llama3");
  CHECK(opened.json()["rope_scaling"]["factor"] == 8.0);
}

TEST_CASE("divisors that follow no rule stay divisors in config.json") {
  TinyGguf file = good_gguf();
  file.add_floats("rope_freqs.weight", {3, 0.5f});

  CHECK(Opened(file).json()["rope_scaling"]["rope_type"] == "divisors");
}

TEST_CASE("config.json and generation_config.json are what transformers would write") {
  TinyGguf file = good_gguf();
  file.set("tokenizer.ggml.eot_token_id", gguf_u32(4));
  const Opened opened(file);

  CHECK(opened.json() == *parse_json(R"({
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8,
    "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 4, "vocab_size": 5, "max_position_embeddings": 64,
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "rope_scaling": null, "hidden_act": "silu",
    "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
    "torch_dtype": "float32", "use_cache": true, "bos_token_id": 0, "eos_token_id": [1, 4]})"));
  CHECK(*parse_json(opened.checkpoint->generation_config_json()) == *parse_json(R"({
    "_from_model_config": true, "bos_token_id": 0, "eos_token_id": [1, 4]})"));
}

TEST_CASE("end tokens are the file's own, each once, and only ones that the model can produce") {
  TinyGguf file = good_gguf();
  file.set("tokenizer.ggml.eot_token_id", gguf_u32(4));
  file.set("tokenizer.ggml.eom_token_id", gguf_u32(1));
  CHECK(Opened(file).config().eos_ids == std::vector<int64_t>{1, 4});

  file.set("tokenizer.ggml.eot_token_id", gguf_u32(5));
  CHECK(Opened(file).config().eos_ids == std::vector<int64_t>{1});
}

TEST_CASE("a file that names no end of turn has the one of its chat template") {
  TinyGguf file = good_gguf();
  file.set("tokenizer.ggml.tokens", gguf_texts({"<s>", "</s>", "a", "b", "<|im_end|>"}));
  file.set("tokenizer.chat_template", gguf_text("...<|im_end|>..."));
  CHECK(Opened(file).config().eos_ids == std::vector<int64_t>{1});  // a plain token: not that one

  file.set("tokenizer.ggml.token_type", gguf_i32s({3, 3, 1, 1, 3}));
  CHECK(Opened(file).config().eos_ids == std::vector<int64_t>{1, 4});

  file.erase("tokenizer.chat_template");
  CHECK(Opened(file).config().eos_ids == std::vector<int64_t>{1});

  for (const std::string end : {"<|eot_id|>", "<end_of_turn>", "<|end|>"}) {
    file.set("tokenizer.ggml.tokens", gguf_texts({"<s>", "</s>", "a", "b", end}));
    file.set("tokenizer.chat_template", gguf_text("..." + end + "..."));
    CHECK(Opened(file).config().eos_ids == std::vector<int64_t>{1, 4});
  }
}

}  // namespace
}  // namespace ovenbird
