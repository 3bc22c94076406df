// A small Hugging Face directory in parts.
#include "checkpoint/tiny_hugging_face.h"

namespace ovenbird {

void TinySafetensors::add(const std::string& name, const std::vector<uint64_t>& shape) {
  uint64_t count = 1;
  for (const uint64_t dimension : shape) count *= dimension;
  add_bytes(name, "F32", shape, std::string(count * 4, '\0'));
}

void TinySafetensors::add_bytes(const std::string& name, const std::string& dtype,
                                const std::vector<uint64_t>& shape, const std::string& bytes) {
  header[name] = {{"dtype", dtype},
                  {"shape", shape},
                  {"data_offsets", {data.size(), data.size() + bytes.size()}}};
  data += bytes;
}

std::string safetensors_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + header + data;
}

std::string TinySafetensors::bytes() const { return safetensors_of(header.dump(), data); }

void TinyHuggingFace::write(const TemporaryDirectory& directory) const {
  directory.write("config.json", config.dump());
  directory.write("model.safetensors", weights.bytes());
}

TinyHuggingFace good_hugging_face() {
  TinyHuggingFace model;
  model.config = {{"architectures", {"LlamaForCausalLM"}},
                  {"model_type", "llama"},
                  {"vocab_size", 5},
                  {"hidden_size", 8},
                  {"intermediate_size", 12},
                  {"num_hidden_layers", 1},
                  {"num_attention_heads", 2},
                  {"num_key_value_heads", 1},
                  {"hidden_act", "silu"},
                  {"max_position_embeddings", 64},
                  {"rms_norm_eps", 1e-5},
                  {"tie_word_embeddings", true},
                  {"bos_token_id", 0},
                  {"eos_token_id", 1}};
  TinySafetensors& weights = model.weights;
  weights.header["__metadata__"] = {{"format", "pt"}};
  weights.add("model.embed_tokens.weight", {5, 8});
  weights.add("model.norm.weight", {8});
  const std::string layer = "model.layers.0.";
  weights.add(layer + "input_layernorm.weight", {8});
  weights.add(layer + "self_attn.q_proj.weight", {8, 8});
  weights.add(layer + "self_attn.k_proj.weight", {4, 8});
  weights.add(layer + "self_attn.v_proj.weight", {4, 8});
  weights.add(layer + "self_attn.o_proj.weight", {8, 8});
  weights.add(layer + "post_attention_layernorm.weight", {8});
  weights.add(layer + "mlp.gate_proj.weight", {12, 8});
  weights.add(layer + "mlp.up_proj.weight", {12, 8});
  weights.add(layer + "mlp.down_proj.weight", {8, 12});
  return model;
}

}  // namespace ovenbird
