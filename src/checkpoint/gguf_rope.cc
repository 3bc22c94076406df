// Rotary embedding as a GGUF describes it: keys for most scalings, tensors of divisors for two.
#include "checkpoint/gguf_rope.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/message_text.h"

namespace ovenbird {
namespace {

class GgufRopeReader {
 public:
  GgufRopeReader(GgufFile& file, const std::string& prefix, const Family& family,
                 ModelConfig& config)
      : file_(file), metadata_(file.metadata), prefix_(prefix), family_(family), config_(config) {}

  void read() {
    Rope& rope = config_.rope;
    read_theta(rope);
    read_local_theta();
    read_scaling(rope);
    read_divisors(rope);
    read_longrope(rope);
    refuse_lone_attention_factor(rope);
  }

 private:
  /// Without the key llama.cpp takes 10000. Where no model of the family has that, the key is
  /// rather called by another name (Ollama's Gemma 3), and the answers would be nonsense.
  void read_theta(Rope& rope) {
    const std::string key = prefix_ + "rope.freq_base";
    if (!metadata_.has(key) && family_.theta != rope.theta) {
      metadata_.refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is missing");
    }
    rope.theta = metadata_.number(key).value_or(rope.theta);
  }

  void read_local_theta() {
    const auto named = metadata_.number(prefix_ + "rope.freq_base_swa");
    if (named && family_.local_theta == 0) {
      metadata_.refuse(Code::kUnsupported, "a rope of the sliding layers' own " +
                                               ("(rope.freq_base_swa) is not supported for " +
                                                std::string(family_.gguf)));
    }
    config_.local_rope.theta = named.value_or(family_.local_theta);
  }

  void read_scaling(Rope& rope) {
    // A file that names a factor but no type means linear scaling.
    const std::string type = metadata_.text(prefix_ + "rope.scaling.type").value_or("linear");
    auto factor = metadata_.number(prefix_ + "rope.scaling.factor");
    if (!factor) factor = metadata_.number(prefix_ + "rope.scale_linear");
    const bool is_scaled = factor.value_or(0) != 0 && *factor != 1;  // 0 stands for "not scaled"
    if (type == "longrope" && !has_factors()) {
      metadata_.refuse(Code::kCorrupt, "longrope rope scaling without rope_factors_long.weight");
    }
    if (type == "none" || type == "longrope") return;
    if (type != "linear" && type != "yarn") {
      metadata_.refuse(Code::kUnsupported,
                       "rope scaling " + in_quotes(type) +
                           "; supported are none, linear, llama3, yarn and longrope");
    }
    if (type == "yarn" && !factor) {
      metadata_.refuse(Code::kCorrupt, "yarn rope scaling without rope.scaling.factor");
    }
    if (!is_scaled) return;
    rope.scaling = type == "yarn" ? RopeScaling::kYarn : RopeScaling::kLinear;
    rope.factor = *factor;
    if (type == "yarn") read_yarn(rope);
  }

  /// llama.cpp's converter copies these from config.json, and leaves out what is not there.
  void read_yarn(Rope& rope) {
    const std::string key = prefix_ + "rope.scaling.";
    const auto number_or = [&](const char* name, double without) {
      return metadata_.number(key + name).value_or(without);
    };
    rope.original_context =
        metadata_.count(key + "original_context_length").value_or(config_.context);
    rope.beta_fast = number_or("yarn_beta_fast", rope.beta_fast);
    rope.beta_slow = number_or("yarn_beta_slow", rope.beta_slow);
    rope.attention_factor = number_or("yarn_attn_factor", yarn_attention_factor(rope.factor)) *
                            number_or("attn_factor", 1);
    if (number_or("yarn_ext_factor", 1) != 1) refuse_yarn("yarn_ext_factor other than 1");
    if (number_or("yarn_log_multiplier", 0) != 0) refuse_yarn("yarn_log_multiplier");
  }

  void refuse_yarn(const std::string& what) {
    metadata_.refuse(Code::kUnsupported, "yarn rope scaling with " + what + " is not supported");
  }

  /// llama3 scaling comes as a tensor of divisors.
  void read_divisors(Rope& rope) {
    const StoredTensor* tensor = find_tensor(file_, "rope_freqs.weight");
    if (!tensor) return;
    refuse_second_scaling(rope, tensor->name);
    rope.scaling = RopeScaling::kLlama3;
    rope.frequency_divisors = divisors_of(*tensor);
  }

  bool has_factors() const {
    return find_tensor(file_, kLongFactors) || find_tensor(file_, kShortFactors);
  }

  /// So does longrope: one for conversations within the original context, one for longer ones.
  void read_longrope(Rope& rope) {
    if (!has_factors()) return;
    refuse_second_scaling(rope, kLongFactors);
    rope.scaling = RopeScaling::kLongRope;
    rope.long_divisors = factors_of(kLongFactors);
    rope.short_divisors = factors_of(kShortFactors);
    rope.original_context =
        metadata_.required_count(prefix_ + "rope.scaling.original_context_length");
    const std::string key = prefix_ + "rope.scaling.attn_factor";
    if (!metadata_.has(key)) {
      metadata_.refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is missing");
    }
    rope.attention_factor = metadata_.number(key).value_or(1);
  }

  void refuse_lone_attention_factor(const Rope& rope) {
    if (rope.scaling == RopeScaling::kYarn || rope.scaling == RopeScaling::kLongRope) return;
    if (metadata_.number(prefix_ + "rope.scaling.attn_factor").value_or(1) == 1) return;
    metadata_.refuse(Code::kUnsupported,
                     "rope.scaling.attn_factor without yarn or longrope is not supported");
  }

  void refuse_second_scaling(const Rope& rope, std::string_view name) {
    if (rope.scaling == RopeScaling::kNone) return;
    metadata_.refuse(Code::kUnsupported,
                     "two rope scalings at once, one of them " + std::string(name));
  }

  std::vector<float> factors_of(const char* name) {
    if (const StoredTensor* tensor = find_tensor(file_, name)) return divisors_of(*tensor);
    metadata_.refuse(Code::kCorrupt, "the tensor " + in_quotes(name) + " is missing");
    return {};
  }

  std::vector<float> divisors_of(const StoredTensor& tensor) {
    const uint64_t pairs = config_.rotary_dim / 2;
    if (tensor.type != ElementType::kF32 || tensor.shape != std::vector<uint64_t>{pairs}) {
      metadata_.refuse(Code::kCorrupt, tensor.name + " is not a list of " + std::to_string(pairs) +
                                           " F32 divisors");
      return {};
    }
    std::vector<float> divisors(pairs);
    dequantize(ElementType::kF32, tensor.bytes, divisors);
    return divisors;
  }

  static constexpr const char* kLongFactors = "rope_factors_long.weight";
  static constexpr const char* kShortFactors = "rope_factors_short.weight";

  GgufFile& file_;
  GgufMetadata& metadata_;
  const std::string& prefix_;
  const Family& family_;
  ModelConfig& config_;
};

}  // namespace

void read_gguf_ropes(GgufFile& file, const std::string& prefix, const Family& family,
                     ModelConfig& config) {
  GgufRopeReader(file, prefix, family, config).read();
}

}  // namespace ovenbird
