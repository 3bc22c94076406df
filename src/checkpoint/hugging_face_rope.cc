// Rotary embedding as config.json describes it, in the old words and the new.
#include "checkpoint/hugging_face_rope.h"

#include <cmath>
#include <string>

#include "base/message_text.h"

namespace ovenbird {
namespace {

class RopeReader {
 public:
  RopeReader(JsonFacts& facts, const Family& family, ModelConfig& config)
      : facts_(facts), family_(family), config_(config) {}

  void read() {
    config_.rope.theta = facts_.number("rope_theta").value_or(family_.theta);
    config_.local_rope.theta = facts_.number("rope_local_base_freq").value_or(family_.local_theta);
    rotated_ = facts_.number("partial_rotary_factor").value_or(1);
    const nlohmann::json* scaling = facts_.object("rope_scaling");
    if (!scaling || scaling->empty()) scaling = facts_.object("rope_parameters");
    if (scaling) read_scalings(*scaling);
    set_rotary_dim();
  }

 private:
  /// One rope for all layers, or one for each kind.
  void read_scalings(const nlohmann::json& scaling) {
    JsonFacts kinds(scaling, kWhere);
    if (family_.local_theta == 0 || !kinds.has("full_attention")) {
      return read_scaling(scaling, config_.rope);
    }
    read_scaling(scaling.at("full_attention"), config_.rope);
    if (kinds.has("sliding_attention")) {
      read_scaling(scaling.at("sliding_attention"), config_.local_rope);
    }
  }

  void read_scaling(const nlohmann::json& scaling, Rope& rope) {
    JsonFacts words(scaling, kWhere);
    rope.theta = words.number("rope_theta").value_or(rope.theta);
    rotated_ = words.number("partial_rotary_factor").value_or(rotated_);
    auto type = words.text("rope_type");
    if (!type) type = words.text("type");
    if (type && *type != "default") read_type(*type, words, rope);
    if (words.fault()) facts_.refuse(words.fault()->code, words.fault()->message);
  }

  void read_type(const std::string& type, JsonFacts& words, Rope& rope) {
    // Early Phi-3 files call longrope by other names.
    const bool is_phi = config_.architecture == Architecture::kPhi3;
    if (type == "longrope" || (is_phi && (type == "su" || type == "yarn"))) {
      return read_longrope(words, rope);
    }
    if (type == "linear") return read_linear(words, rope);
    if (type == "llama3") return read_llama3(words, rope);
    if (type == "yarn") return read_yarn(words, rope);
    words.refuse(Code::kUnsupported,
                 "rope scaling " + in_quotes(type) +
                     "; supported are default, linear, llama3, yarn and longrope");
  }

  void require(JsonFacts& words, const char* type, const char* key) {
    if (words.has(key)) return;
    words.refuse(Code::kCorrupt, std::string(type) + " rope scaling without " + key);
  }

  /// Phi-3 keeps it beside the scaling, and that one wins.
  uint32_t original_context(JsonFacts& words) {
    const char* key = "original_max_position_embeddings";
    if (const auto beside = facts_.count(key)) return *beside;
    return words.count(key).value_or(config_.context);
  }

  void read_linear(JsonFacts& words, Rope& rope) {
    require(words, "linear", "factor");
    rope.scaling = RopeScaling::kLinear;
    rope.factor = words.number("factor").value_or(1);
  }

  void read_llama3(JsonFacts& words, Rope& rope) {
    for (const char* key : {"factor", "low_freq_factor", "high_freq_factor"}) {
      require(words, "llama3", key);
    }
    rope.scaling = RopeScaling::kLlama3;
    rope.factor = words.number("factor").value_or(1);
    rope.low_freq_factor = words.number("low_freq_factor").value_or(1);
    rope.high_freq_factor = words.number("high_freq_factor").value_or(4);
    rope.original_context = original_context(words);
  }

  void read_yarn(JsonFacts& words, Rope& rope) {
    require(words, "yarn", "factor");
    rope.scaling = RopeScaling::kYarn;
    rope.factor = words.number("factor").value_or(1);
    rope.original_context = original_context(words);
    const auto number_or = [&](const char* key, double without) {  // 0 stands for "not given"
      const double value = words.number(key).value_or(0);
      return value == 0 ? without : value;
    };
    rope.beta_fast = number_or("beta_fast", rope.beta_fast);
    rope.beta_slow = number_or("beta_slow", rope.beta_slow);
    rope.truncates = words.flag("truncate").value_or(true);
    const auto growth = [&](double scale) { return yarn_attention_factor(rope.factor, scale); };
    const double scale = number_or("mscale", 0);
    const double scale_of_all = number_or("mscale_all_dim", 0);
    const double inferred =
        scale != 0 && scale_of_all != 0 ? growth(scale) / growth(scale_of_all) : growth(1);
    rope.attention_factor = words.number("attention_factor").value_or(inferred);
  }

  void read_longrope(JsonFacts& words, Rope& rope) {
    for (const char* key : {"short_factor", "long_factor"}) require(words, "longrope", key);
    rope.scaling = RopeScaling::kLongRope;
    rope.short_divisors = words.numbers("short_factor");
    rope.long_divisors = words.numbers("long_factor");
    rope.original_context = original_context(words);
    double factor = words.number("factor").value_or(0);
    if (factor == 0 && rope.original_context > 0) {
      factor = static_cast<double>(config_.context) / rope.original_context;
    }
    const double inferred =
        factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(rope.original_context));
    rope.attention_factor = words.number("attention_factor").value_or(inferred);
  }

  void set_rotary_dim() {
    config_.rotary_dim = config_.head_dim;
    if (rotated_ == 1) return;
    if (!family_.has_partial_rotary) {
      facts_.refuse(Code::kUnsupported, "partial_rotary_factor other than 1 is not supported for " +
                                            std::string(family_.model_type));
    } else if (!(rotated_ > 0 && rotated_ < 1)) {
      facts_.refuse(Code::kCorrupt, "partial_rotary_factor must lie between 0 and 1");
    } else {
      config_.rotary_dim = static_cast<uint32_t>(config_.head_dim * rotated_);
    }
  }

  static constexpr const char* kWhere = "config.json: rope scaling";

  JsonFacts& facts_;
  const Family& family_;
  ModelConfig& config_;
  double rotated_ = 1;  // the share of each head
};

}  // namespace

void read_ropes(JsonFacts& facts, const Family& family, ModelConfig& config) {
  RopeReader(facts, family, config).read();
}

}  // namespace ovenbird
