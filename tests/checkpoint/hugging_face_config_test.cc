// config.json: what is read, what is assumed when it is missing, and what is refused by name.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/json.h"
#include "base/limits.h"
#include "checkpoint/hugging_face_config.h"
#include "checkpoint/tiny_hugging_face.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

/// good_hugging_face()'s configuration with the members of `changes`; null erases one.
Result<HuggingFaceModel> read(const Json& changes, const Json& generation = nullptr) {
  Json config = good_hugging_face().config;
  for (const auto& [key, value] : changes.items()) config[key] = value;
  return hugging_face_model(config, generation);
}

/// The same, as another family.
Json as_family(const std::string& type, const std::string& name, const Json& changes) {
  Json all = {{"model_type", type}, {"architectures", {name}}};
  if (!changes.is_null()) all.update(changes);
  return all;
}

ModelConfig read_config(const Json& changes, const Json& generation = nullptr) {
  auto model = read(changes, generation);
  if (!model) FAIL(model.error().message);
  return model->config;
}

bool wants(const Json& changes, Weight weight) {
  auto model = read(changes);
  if (!model) FAIL(model.error().message);
  return model->weights[static_cast<size_t>(weight)];
}

struct Refusal {
  Json changes;
  Code code;
  const char* words;  // in the message
};

void check_refusals(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    CAPTURE(refusal.changes.dump());
    const auto model = read(refusal.changes);
    REQUIRE(!model.has_value());
    INFO(model.error().message);
    CHECK(model.error().code == refusal.code);
    CHECK(model.error().message.find(refusal.words) != std::string::npos);
  }
}

TEST_CASE("missing keys have the values that transformers gives them") {
  const ModelConfig config = read_config({{"num_key_value_heads", nullptr},
                                          {"rms_norm_eps", nullptr},
                                          {"tie_word_embeddings", nullptr},
                                          {"hidden_act", nullptr}});
  CHECK(config.kv_heads == 2);
  CHECK(config.head_dim == 4);
  CHECK(config.rms_epsilon == 1e-6f);
  CHECK(!config.tied_head);
  CHECK(config.rope.theta == 10000.0);
  CHECK(read_config(as_family("qwen3", "Qwen3ForCausalLM", {})).head_dim == 128);
  CHECK(read_config({{"head_dim", 16}}).head_dim == 16);
  CHECK(read_config({{"hidden_act", "swish"}}).hidden == 8);
}

TEST_CASE("one of model_type and architectures is enough") {
  CHECK(read_config({{"architectures", nullptr}, {"model_type", "qwen2"}}).architecture ==
        Architecture::kQwen2);
  CHECK(read_config({{"architectures", {"MistralForCausalLM"}},
                     {"model_type", nullptr},
                     {"sliding_window", nullptr}})
            .architecture == Architecture::kMistral);
}

TEST_CASE("other architectures are refused by name") {
  check_refusals({
      {as_family("gpt2", "GPT2LMHeadModel", {}), Code::kUnsupported,
       "\"GPT2LMHeadModel\", model_type \"gpt2\"; supported are gemma2, gemma3_text, granite,"},
      {{{"architectures", {"Gemma2ForCausalLM"}}}, Code::kUnsupported, "Gemma2"},
      {{{"architectures", {"LlamaForSequenceClassification"}}}, Code::kUnsupported, "Sequence"},
      {{{"architectures", {"LlamaForCausalLM", "Other"}}}, Code::kUnsupported, "supported"},
      {{{"architectures", nullptr}, {"model_type", nullptr}}, Code::kCorrupt, "no architecture"},
      {{{"architectures", "LlamaForCausalLM"}}, Code::kCorrupt, "list of strings"},
  });
}

TEST_CASE("biases and norms are wanted where the family has them") {
  const Json qwen2 = as_family("qwen2", "Qwen2ForCausalLM", {});
  CHECK(wants(qwen2, Weight::kQueryBias));
  CHECK(!wants(qwen2, Weight::kOutputBias));
  CHECK(!wants({}, Weight::kQueryBias));
  CHECK(wants({{"attention_bias", true}}, Weight::kOutputBias));
  CHECK(!wants({{"attention_bias", true}}, Weight::kUpBias));
  CHECK(wants({{"mlp_bias", true}}, Weight::kDownBias));
  CHECK(wants(as_family("qwen3", "Qwen3ForCausalLM", {}), Weight::kKeyNorm));
  CHECK(wants(as_family("qwen3", "Qwen3ForCausalLM", {{"attention_bias", true}}),
              Weight::kValueBias));
  CHECK(!wants({}, Weight::kHead));
  CHECK(wants({{"tie_word_embeddings", false}}, Weight::kHead));
}

TEST_CASE("a sliding window counts only where it hides something") {
  const auto mistral = [](const Json& changes) {
    return as_family("mistral", "MistralForCausalLM", changes);
  };
  const auto qwen = [](const Json& changes) {
    return as_family("qwen2", "Qwen2ForCausalLM", changes);
  };
  const Json active = {
      {"use_sliding_window", true}, {"sliding_window", 16}, {"max_window_layers", 0}};
  const auto window = [](const Json& changes) {
    const ModelConfig config = read_config(changes);
    CHECK(config.layer(0).slides == (config.window > 0));
    return config.window;
  };
  CHECK(window(mistral({{"sliding_window", nullptr}})) == 0);
  CHECK(window(mistral({{"sliding_window", 64}})) == 0);
  CHECK(window(mistral({})) == 0);               // 4096, more than the context
  CHECK(window({{"sliding_window", 16}}) == 0);  // llama knows no such key
  CHECK(window(qwen({{"use_sliding_window", false}, {"sliding_window", 16}})) == 0);
  CHECK(window(qwen({{"use_sliding_window", true}, {"sliding_window", 16}})) == 0);
  Json full = active;
  full["layer_types"] = {"full_attention"};
  CHECK(window(qwen(full)) == 0);
  Json sliding = active;
  sliding["layer_types"] = {"sliding_attention"};

  CHECK(window(mistral({{"sliding_window", 63}})) == 63);
  CHECK(window(mistral({{"max_position_embeddings", 8192}})) == 4096);
  CHECK(window(qwen(active)) == 16);
  CHECK(window(qwen(sliding)) == 16);
  Json unknown = active;
  unknown["layer_types"] = {"linear_attention"};
  Json two = active;
  two["layer_types"] = {"full_attention", "full_attention"};
  check_refusals({
      {mistral({{"sliding_window", 0}}), Code::kCorrupt, "sliding_window is 0"},
      {qwen(unknown), Code::kUnsupported, "linear_attention"},
      {qwen(two), Code::kCorrupt, "layer_types has 2 entries for 1 layers"},
  });
}

TEST_CASE("layers that slide, are not rotated or have experts are where the family puts them") {
  const auto layers = [](const Json& changes) {
    Json all = changes;
    all["num_hidden_layers"] = 6;
    std::string seen;
    const ModelConfig config = read_config(all);
    for (uint32_t index = 0; index < config.layers; ++index) {
      const LayerFacts layer = config.layer(index);
      seen += layer.has_experts                 ? 'e'
              : layer.rope == LayerRope::kNone  ? 'n'
              : layer.rope == LayerRope::kLocal ? 'l'
              : layer.slides                    ? 's'
                                                : '.';
    }
    return seen;
  };
  const Json window = {{"sliding_window", 16}};
  CHECK(layers(as_family("gemma2", "Gemma2ForCausalLM", window)) == "s.s.s.");
  CHECK(layers(as_family("gemma3_text", "Gemma3ForCausalLM", window)) == "lllll.");
  CHECK(layers(as_family("gemma3_text", "Gemma3ForCausalLM",
                         {{"sliding_window", 16}, {"_sliding_window_pattern", 2}})) == "l.l.l.");
  CHECK(layers(as_family("smollm3", "SmolLM3ForCausalLM", {})) == "...n..");
  CHECK(layers(as_family("smollm3", "SmolLM3ForCausalLM", {{"no_rope_layer_interval", 2}})) ==
        ".n.n.n");
  CHECK(layers(as_family("smollm3", "SmolLM3ForCausalLM",
                         {{"no_rope_layers", {0, 1, 1, 1, 1, 0}}})) == "n....n");
  const Json experts = {
      {"num_experts", 4}, {"num_experts_per_tok", 2}, {"moe_intermediate_size", 16}};
  CHECK(layers(as_family("qwen3_moe", "Qwen3MoeForCausalLM", experts)) == "eeeeee");
  const Json saved_again = {
      {"num_local_experts", 4}, {"num_experts_per_tok", 2}, {"moe_intermediate_size", 16}};
  CHECK(layers(as_family("qwen3_moe", "Qwen3MoeForCausalLM", saved_again)) == "eeeeee");
  Json some = experts;
  some["decoder_sparse_step"] = 2;
  some["mlp_only_layers"] = {5};
  CHECK(layers(as_family("qwen3_moe", "Qwen3MoeForCausalLM", some)) == ".e.e..");
  CHECK(layers(as_family("mixtral", "MixtralForCausalLM",
                         {{"num_local_experts", 8}, {"num_experts_per_tok", 2}})) == "eeeeee");
  Json none = experts;
  none["num_experts_per_tok"] = 5;
  check_refusals({
      {as_family("mixtral", "MixtralForCausalLM", {}), Code::kCorrupt, "num_local_experts"},
      {as_family("qwen3_moe", "Qwen3MoeForCausalLM", none), Code::kCorrupt, "experts"},
      {as_family("smollm3", "SmolLM3ForCausalLM", {{"no_rope_layers", {1, 0}}}), Code::kCorrupt,
       "no_rope_layers has 2 entries for 1 layers"},
  });
}

TEST_CASE("a family's scales and soft caps are read, and null takes a cap away") {
  const ModelConfig gemma = read_config(as_family("gemma2", "Gemma2ForCausalLM", {}));
  CHECK(gemma.attention_soft_cap == 50.0f);
  CHECK(gemma.logit_soft_cap == 30.0f);
  CHECK(gemma.attention_scale == 1 / 16.0f);
  CHECK(gemma.embedding_scale == doctest::Approx(std::sqrt(8.0)));
  CHECK(gemma.norm_offset == 1.0f);
  CHECK(gemma.head_dim == 256);
  const ModelConfig bare = read_config(
      as_family("gemma2", "Gemma2ForCausalLM",
                {{"attn_logit_softcapping", nullptr}, {"final_logit_softcapping", nullptr}}));
  CHECK(bare.attention_soft_cap == 0);
  CHECK(bare.logit_soft_cap == 0);
  const ModelConfig granite = read_config(as_family(
      "granite", "GraniteForCausalLM", {{"logits_scaling", 8.0}, {"residual_multiplier", 0.5}}));
  CHECK(granite.logit_scale == 0.125f);
  CHECK(granite.residual_scale == 0.5f);
  check_refusals({
      {as_family("granite", "GraniteForCausalLM", {{"logits_scaling", 0.0}}), Code::kCorrupt,
       "the logits' scale"},
      {as_family("granite", "GraniteForCausalLM", {{"attention_multiplier", -1.0}}), Code::kCorrupt,
       "the attention's scale"},
      {as_family("gemma2", "Gemma2ForCausalLM", {{"query_pre_attn_scalar", 0}}), Code::kCorrupt,
       "the attention's scale"},
      {as_family("gemma2", "Gemma2ForCausalLM", {{"hidden_activation", "relu"}}),
       Code::kUnsupported, "supported: gelu_pytorch_tanh"},
      {as_family("gemma3_text", "Gemma3ForCausalLM", {{"use_bidirectional_attention", true}}),
       Code::kUnsupported, "use_bidirectional_attention"},
  });
}

TEST_CASE("rope scaling is refused where it is not built or makes no sense") {
  const auto scaling = [](const Json& value) { return Json{{"rope_scaling", value}}; };
  const auto llama3 = [&](double low, double high, const Json& original) {
    return scaling({{"rope_type", "llama3"},
                    {"factor", 8},
                    {"low_freq_factor", low},
                    {"high_freq_factor", high},
                    {"original_max_position_embeddings", original}});
  };
  CHECK(read(llama3(1, 4, 32)).has_value());
  CHECK(read(scaling(Json::object())).has_value());
  check_refusals({
      {scaling({{"rope_type", "dynamic"}, {"factor", 2}}), Code::kUnsupported,
       "\"dynamic\"; supported are default, linear, llama3, yarn and longrope"},
      {{{"rope_parameters", {{"rope_type", "longrope"}}}}, Code::kCorrupt, "short_factor"},
      {scaling({{"type", "yarn"}}), Code::kCorrupt, "without factor"},
      {scaling({{"type", "yarn"}, {"factor", 2}, {"beta_fast", -1}}), Code::kCorrupt, "beta_fast"},
      {scaling({{"type", "yarn"}, {"factor", 2}, {"attention_factor", -1}}), Code::kCorrupt,
       "attention factor"},
      {scaling({{"type", "longrope"}, {"short_factor", {1}}, {"long_factor", {1, 1}}}),
       Code::kCorrupt, "rope divisors: 1 of them, a head has 2 pairs"},
      {scaling({{"type", "longrope"}, {"short_factor", {1, 0}}, {"long_factor", {1, 1}}}),
       Code::kCorrupt, "divisor"},
      {scaling({{"type", "longrope"}, {"short_factor", {1, "2"}}, {"long_factor", {1, 1}}}),
       Code::kCorrupt, "not a list of numbers"},
      {scaling({{"type", "linear"}}), Code::kCorrupt, "without factor"},
      {scaling({{"type", "linear"}, {"factor", 0}}), Code::kCorrupt, "factor"},
      {scaling({{"type", "linear"}, {"factor", "2"}}), Code::kCorrupt, "not a number"},
      {scaling("linear"), Code::kCorrupt, "not an object"},
      {scaling({{"rope_type", "llama3"}, {"factor", 8}}), Code::kCorrupt, "low_freq_factor"},
      {llama3(4, 4, 32), Code::kCorrupt, "high_freq_factor"},
      {llama3(0, 4, 32), Code::kCorrupt, "high_freq_factor"},
      {llama3(1, 4, 0), Code::kCorrupt, "original_max_position_embeddings"},
      {llama3(1, 4, 1 << 21), Code::kCorrupt, "original_max_position_embeddings"},
      {{{"rope_theta", -10000}}, Code::kCorrupt, "theta"},
      {{{"rope_theta", 1e-300}}, Code::kCorrupt, "radians"},
      {{{"partial_rotary_factor", 0.5}}, Code::kUnsupported, "partial_rotary_factor"},
      {{{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}, Code::kUnsupported, "partial"},
  });
}

TEST_CASE("what would change the numbers and is not built is refused by name") {
  check_refusals({
      {{{"quantization_config", {{"quant_method", "gptq"}}}}, Code::kUnsupported, "gptq"},
      {{{"hidden_act", "gelu"}}, Code::kUnsupported, "\"gelu\" (supported: silu)"},
      {{{"num_local_experts", 8}}, Code::kUnsupported, "MoE"},
      {{{"attn_logit_softcapping", 50.0}}, Code::kUnsupported, "attn_logit_softcapping"},
      {{{"logits_scaling", 8.0}}, Code::kUnsupported, "logits_scaling"},
  });
}

TEST_CASE("numbers that make no model are refused") {
  check_refusals({
      {{{"hidden_size", nullptr}}, Code::kCorrupt, "hidden_size is missing"},
      {{{"hidden_size", Json::array({8})}}, Code::kCorrupt, "hidden_size is [8]"},
      {{{"hidden_size", true}}, Code::kCorrupt, "hidden_size is true"},
      {{{"hidden_size", 8.0}}, Code::kCorrupt, "hidden_size is 8.0"},
      {{{"hidden_size", -8}}, Code::kCorrupt, "hidden_size is -8"},
      {{{"hidden_size", 1000000000000}}, Code::kCorrupt, "1000000000000"},
      {{{"hidden_size", limits::kHiddenMax + 1}}, Code::kCorrupt, "hidden size"},
      {{{"num_hidden_layers", 0}}, Code::kCorrupt, "layers is 0"},
      {{{"num_hidden_layers", limits::kLayersMax + 1}}, Code::kCorrupt, "accepted: 1 to 1024"},
      {{{"num_attention_heads", 0}}, Code::kCorrupt, "heads is 0"},
      {{{"num_key_value_heads", 0}}, Code::kCorrupt, "key/value heads is 0"},
      {{{"num_key_value_heads", 4}}, Code::kCorrupt, "key/value heads is 4"},
      {{{"num_attention_heads", 3}, {"num_key_value_heads", 2}}, Code::kCorrupt, "multiple"},
      {{{"head_dim", 7}}, Code::kCorrupt, "even"},
      {{{"head_dim", limits::kHiddenMax}}, Code::kCorrupt, "heads times head size"},
      {{{"vocab_size", limits::kVocabularyMax + 1}}, Code::kCorrupt, "vocabulary"},
      {{{"max_position_embeddings", 0}}, Code::kCorrupt, "context"},
      {{{"max_position_embeddings", limits::kContextMax + 1}}, Code::kCorrupt, "context"},
      {{{"rms_norm_eps", -1}}, Code::kCorrupt, "epsilon"},
      {{{"rms_norm_eps", 1e300}}, Code::kCorrupt, "epsilon"},
      {{{"rms_norm_eps", "1e-5"}}, Code::kCorrupt, "not a number"},
      {{{"tie_word_embeddings", 1}}, Code::kCorrupt, "true or false"},
      {{{"eos_token_id", "</s>"}}, Code::kCorrupt, "token id"},
      {{{"eos_token_id", {1, "x"}}}, Code::kCorrupt, "token id"},
  });
}

TEST_CASE("each limit itself is accepted") {
  CHECK(read({{"num_hidden_layers", limits::kLayersMax}}).has_value());
  CHECK(read({{"hidden_size", limits::kHiddenMax}, {"head_dim", 4}}).has_value());
  CHECK(read({{"vocab_size", limits::kVocabularyMax}}).has_value());
  CHECK(read({{"max_position_embeddings", limits::kContextMax}}).has_value());
}

TEST_CASE("a list of ids has as many entries as are ever needed, and one more is refused") {
  for (const char* key : {"eos_token_id", "mlp_only_layers"}) {
    Json changes = as_family("qwen3_moe", "Qwen3MoeForCausalLM",
                             {{"num_experts", 4},
                              {"num_experts_per_tok", 2},
                              {"moe_intermediate_size", 16},
                              {key, std::vector<int64_t>(limits::kConfigIdsMax - 1, 7)}});
    CHECK(read(changes).has_value());
    changes[key].push_back(1);
    CHECK(read(changes).has_value());
    changes[key].push_back(2);
    check_refusals({{changes, Code::kCorrupt, "has 4097 entries; at most 4096 are read"}});
  }
}

TEST_CASE("generation_config.json has the last word on special tokens") {
  CHECK(read_config({}).eos_ids == std::vector<int64_t>{1});
  CHECK(read_config({{"eos_token_id", {1, 2}}}).eos_ids == std::vector<int64_t>{1, 2});
  CHECK(read_config({}, {{"eos_token_id", {3, 4, 3}}}).eos_ids == std::vector<int64_t>{3, 4});
  CHECK(read_config({}, {{"eos_token_id", nullptr}}).eos_ids == std::vector<int64_t>{1});
  CHECK(read_config({}, {{"bos_token_id", 2}}).bos_ids == std::vector<int64_t>{2});
  CHECK(read_config({{"eos_token_id", {-1, 1, 5}}}).eos_ids == std::vector<int64_t>{1});
  CHECK(!read({}, {{"eos_token_id", "x"}}).has_value());
  CHECK(!read({}, Json::array()).has_value());
  CHECK(!hugging_face_model(Json::array(), nullptr).has_value());
}

}  // namespace
}  // namespace ovenbird
