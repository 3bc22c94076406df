// A small GGUF model in parts.
#include "checkpoint/tiny_gguf.h"

#include <algorithm>
#include <utility>

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

constexpr size_t kAlignment = 32;

std::string sized(std::string_view text) {
  return bytes_of<uint64_t>(text.size()) + std::string(text);
}

void pad(std::string& bytes) {
  bytes.resize((bytes.size() + kAlignment - 1) / kAlignment * kAlignment);
}

template <typename Number>
GgufRaw list(uint32_t type, const std::vector<Number>& values) {
  std::string bytes = bytes_of(type) + bytes_of<uint64_t>(values.size());
  for (const Number value : values) bytes += bytes_of(value);
  return {9, std::move(bytes)};
}

}  // namespace

GgufRaw gguf_u32(uint32_t value) { return {4, bytes_of(value)}; }
GgufRaw gguf_f32(float value) { return {6, bytes_of(value)}; }
GgufRaw gguf_bool(bool value) { return {7, std::string(1, value ? '\1' : '\0')}; }
GgufRaw gguf_text(std::string_view value) { return {8, sized(value)}; }
GgufRaw gguf_i32s(const std::vector<int32_t>& values) { return list(5, values); }
GgufRaw gguf_f32s(const std::vector<float>& values) { return list(6, values); }

GgufRaw gguf_bools(const std::vector<bool>& values) {
  std::string bytes = bytes_of<uint32_t>(7) + bytes_of<uint64_t>(values.size());
  for (const bool value : values) bytes += value ? '\1' : '\0';
  return {9, std::move(bytes)};
}

GgufRaw gguf_texts(const std::vector<std::string>& values) {
  std::string bytes = bytes_of<uint32_t>(8) + bytes_of<uint64_t>(values.size());
  for (const std::string& value : values) bytes += sized(value);
  return {9, std::move(bytes)};
}

std::string TinyGguf::bytes() const {
  std::string out = bytes_of(magic) + bytes_of(version) +
                    bytes_of(tensor_count.value_or(tensors.size())) +
                    bytes_of(entry_count.value_or(entries.size()));
  for (const GgufEntry& entry : entries) {
    out += sized(entry.key) + bytes_of(entry.value.type) + entry.value.bytes;
  }
  for (const GgufTensorInfo& info : tensors) {
    out += sized(info.name) + bytes_of(static_cast<uint32_t>(info.dimensions.size()));
    for (const uint64_t dimension : info.dimensions) out += bytes_of(dimension);
    out += bytes_of(info.type) + bytes_of(info.offset);
  }
  pad(out);
  return out + data;
}

GgufRaw& TinyGguf::at(std::string_view key) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.key == key; });
  REQUIRE(found != entries.end());
  return found->value;
}

void TinyGguf::set(const std::string& key, GgufRaw value) {
  erase(key);
  entries.push_back({key, std::move(value)});
}

void TinyGguf::erase(std::string_view key) {
  std::erase_if(entries, [&](const auto& entry) { return entry.key == key; });
}

GgufTensorInfo& TinyGguf::tensor(std::string_view name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  REQUIRE(found != tensors.end());
  return *found;
}

GgufTensorInfo& TinyGguf::add_tensor(std::string name, std::vector<uint64_t> dimensions) {
  pad(data);
  uint64_t count = 1;
  for (const uint64_t dimension : dimensions) count *= dimension;
  tensors.push_back({std::move(name), std::move(dimensions), 0, data.size()});
  data.resize(data.size() + count * sizeof(float));
  return tensors.back();
}

void TinyGguf::add_floats(std::string name, const std::vector<float>& values) {
  const uint64_t offset = add_tensor(std::move(name), {values.size()}).offset;
  data.replace(
      offset, values.size() * sizeof(float),
      std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
}

void TinyGguf::remove_tensor(std::string_view name) {
  std::erase_if(tensors, [&](const auto& tensor) { return tensor.name == name; });
}

void TinyGguf::repeat_layer(uint32_t count) {
  for (const GgufTensorInfo& info : std::vector(tensors)) {
    if (!info.name.starts_with("blk.0.")) continue;
    for (uint32_t layer = 1; layer < count; ++layer) {
      add_tensor("blk." + std::to_string(layer) + info.name.substr(5), info.dimensions);
    }
  }
  const auto key = std::find_if(entries.begin(), entries.end(), [](const GgufEntry& entry) {
    return entry.key.ends_with(".block_count");
  });
  REQUIRE(key != entries.end());
  key->value = gguf_u32(count);
}

TinyGguf good_gguf() {
  TinyGguf file;
  file.entries = {
      {"general.architecture", gguf_text("llama")},
      {"general.name", gguf_text("Tiny")},
      {"llama.block_count", gguf_u32(1)},
      {"llama.context_length", gguf_u32(64)},
      {"llama.embedding_length", gguf_u32(8)},
      {"llama.feed_forward_length", gguf_u32(12)},
      {"llama.attention.head_count", gguf_u32(2)},
      {"llama.attention.head_count_kv", gguf_u32(1)},
      {"llama.attention.layer_norm_rms_epsilon", gguf_f32(1e-5f)},
      {"llama.rope.freq_base", gguf_f32(10000)},
      {"tokenizer.ggml.model", gguf_text("gpt2")},
      {"tokenizer.ggml.pre", gguf_text("smollm")},
      {"tokenizer.ggml.tokens", gguf_texts({"<s>", "</s>", "a", "b", "ab"})},
      {"tokenizer.ggml.token_type", gguf_i32s({3, 3, 1, 1, 1})},
      {"tokenizer.ggml.merges", gguf_texts({"a b"})},
      {"tokenizer.ggml.bos_token_id", gguf_u32(0)},
      {"tokenizer.ggml.eos_token_id", gguf_u32(1)},
  };
  file.add_tensor("token_embd.weight", {8, 5});
  file.add_tensor("output_norm.weight", {8});
  file.add_tensor("blk.0.attn_norm.weight", {8});
  file.add_tensor("blk.0.attn_q.weight", {8, 8});
  file.add_tensor("blk.0.attn_k.weight", {8, 4});
  file.add_tensor("blk.0.attn_v.weight", {8, 4});
  file.add_tensor("blk.0.attn_output.weight", {8, 8});
  file.add_tensor("blk.0.ffn_norm.weight", {8});
  file.add_tensor("blk.0.ffn_gate.weight", {8, 12});
  file.add_tensor("blk.0.ffn_up.weight", {8, 12});
  file.add_tensor("blk.0.ffn_down.weight", {12, 8});
  return file;
}

namespace {

void rename(TinyGguf& file, const std::string& architecture) {
  for (GgufEntry& entry : file.entries) {
    if (entry.key.starts_with("llama.")) entry.key.replace(0, 5, architecture);
  }
  file.set("general.architecture", gguf_text(architecture));
}

void add_post_norms(TinyGguf& file) {
  file.add_tensor("blk.0.post_attention_norm.weight", {8});
  file.add_tensor("blk.0.post_ffw_norm.weight", {8});
}

void add_query_key_norms(TinyGguf& file, uint64_t query, uint64_t key) {
  file.add_tensor("blk.0.attn_q_norm.weight", {query});
  file.add_tensor("blk.0.attn_k_norm.weight", {key});
}

void add_multipliers(TinyGguf& file) {
  file.set("granite.attention.scale", gguf_f32(0.25f));
  file.set("granite.embedding_scale", gguf_f32(12));
  file.set("granite.residual_scale", gguf_f32(0.5f));
  file.set("granite.logit_scale", gguf_f32(8));
}

void move_norms_behind(TinyGguf& file) {
  file.remove_tensor("blk.0.attn_norm.weight");
  file.remove_tensor("blk.0.ffn_norm.weight");
  add_post_norms(file);
}

void fuse(TinyGguf& file) {
  for (const char* part : {"attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"}) {
    file.remove_tensor("blk.0." + std::string(part) + ".weight");
  }
  file.add_tensor("blk.0.attn_qkv.weight", {8, 16});
  file.add_tensor("blk.0.ffn_up.weight", {8, 24});
  file.add_floats("rope_factors_long.weight", {4, 16});
  file.add_floats("rope_factors_short.weight", {1, 2});
  file.set("phi3.rope.scaling.original_context_length", gguf_u32(32));
  file.set("phi3.rope.scaling.attn_factor", gguf_f32(1.5f));
}

void add_experts(TinyGguf& file, const std::string& prefix, uint64_t rows) {
  for (const char* part : {"ffn_gate", "ffn_up", "ffn_down"}) {
    file.remove_tensor("blk.0." + std::string(part) + ".weight");
  }
  file.add_tensor("blk.0.ffn_gate_inp.weight", {8, 3});
  file.add_tensor("blk.0.ffn_gate_exps.weight", {8, rows, 3});
  file.add_tensor("blk.0.ffn_up_exps.weight", {8, rows, 3});
  file.add_tensor("blk.0.ffn_down_exps.weight", {rows, 8, 3});
  file.set(prefix + "expert_count", gguf_u32(3));
  file.set(prefix + "expert_used_count", gguf_u32(2));
}

}  // namespace

TinyGguf good_gguf_of(const std::string& architecture) {
  TinyGguf file = good_gguf();
  if (architecture == "mixtral") {
    add_experts(file, "llama.", 12);
    return file;
  }
  rename(file, architecture);
  if (architecture.starts_with("gemma") || architecture == "phi3") {
    file.set(architecture + ".attention.sliding_window", gguf_u32(16));
  }
  if (architecture.starts_with("gemma")) add_post_norms(file);
  if (architecture == "granite") add_multipliers(file);
  if (architecture == "olmo2") move_norms_behind(file);
  if (architecture == "olmo2") add_query_key_norms(file, 8, 4);
  if (architecture == "phi3") fuse(file);
  const bool is_each_head = architecture == "gemma3" || architecture.starts_with("qwen3");
  if (is_each_head) add_query_key_norms(file, 4, 4);
  if (architecture == "qwen3moe") {
    add_experts(file, "qwen3moe.", 6);
    file.set("qwen3moe.expert_feed_forward_length", gguf_u32(6));
  }
  return file;
}

}  // namespace ovenbird
