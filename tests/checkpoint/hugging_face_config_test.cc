// config.json: what is read, what is assumed when it is missing, and what is refused by name.
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
      {as_family("gemma2", "Gemma2ForCausalLM", {}), Code::kUnsupported,
       "\"Gemma2ForCausalLM\", model_type \"gemma2\"; supported are llama, mistral, qwen2 and"},
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

TEST_CASE("a sliding window is refused only where it hides something") {
  const auto mistral = [](const Json& changes) {
    return as_family("mistral", "MistralForCausalLM", changes);
  };
  const auto qwen = [](const Json& changes) {
    return as_family("qwen2", "Qwen2ForCausalLM", changes);
  };
  const Json active = {
      {"use_sliding_window", true}, {"sliding_window", 16}, {"max_window_layers", 0}};
  CHECK(read(mistral({{"sliding_window", nullptr}})).has_value());
  CHECK(read(mistral({{"sliding_window", 64}})).has_value());
  CHECK(read(mistral({})).has_value());               // 4096, more than the context
  CHECK(read({{"sliding_window", 16}}).has_value());  // llama knows no such key
  CHECK(read(qwen({{"use_sliding_window", false}, {"sliding_window", 16}})).has_value());
  CHECK(read(qwen({{"use_sliding_window", true}, {"sliding_window", 16}})).has_value());
  Json full = active;
  full["layer_types"] = {"full_attention"};
  CHECK(read(qwen(full)).has_value());
  Json sliding = active;
  sliding["layer_types"] = {"sliding_attention"};

  check_refusals({
      {mistral({{"sliding_window", 63}}), Code::kUnsupported, "sliding_window of 63 tokens"},
      {mistral({{"max_position_embeddings", 8192}}), Code::kUnsupported, "4096"},
      {mistral({{"sliding_window", 0}}), Code::kCorrupt, "sliding_window is 0"},
      {qwen(active), Code::kUnsupported, "sliding_window of 16 tokens"},
      {qwen(sliding), Code::kUnsupported, "sliding_window of 16 tokens"},
      {qwen({{"layer_types", {"linear_attention"}}}), Code::kUnsupported, "linear_attention"},
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
      {scaling({{"type", "yarn"}, {"factor", 2}}), Code::kUnsupported,
       "\"yarn\"; supported are default, linear and llama3"},
      {scaling({{"rope_type", "dynamic"}, {"factor", 2}}), Code::kUnsupported, "dynamic"},
      {{{"rope_parameters", {{"rope_type", "longrope"}}}}, Code::kUnsupported, "longrope"},
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
