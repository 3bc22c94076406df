// Checks sampling options, one range after the other.
#include "base/sampling_options.h"

#include <string>

#include "base/limits.h"

namespace ovenbird {
namespace {

Failure refuse(const std::string& name, const std::string& seen, const std::string& accepted) {
  return fail(Code::kInvalidArgument, "set " + name + " " + seen + "; accepted: " + accepted);
}

struct Range {
  const char* name;
  float value;
  float min;
  float max;
  const char* accepted;
};

Status check(const Range& range) {
  // Written so that NaN, which compares as false, is refused.
  if (range.value >= range.min && range.value <= range.max) return ok();
  return refuse(range.name, std::to_string(range.value), range.accepted);
}

Status check_bias(const std::map<int32_t, float>& bias, uint32_t vocabulary_tokens) {
  if (bias.size() > limits::kLogitBiasEntriesMax) {
    return refuse("logit_bias", "with " + std::to_string(bias.size()) + " entries",
                  "at most " + std::to_string(limits::kLogitBiasEntriesMax));
  }
  for (const auto& [id, value] : bias) {
    if (id < 0 || static_cast<uint32_t>(id) >= vocabulary_tokens) {
      return refuse("logit_bias", "for token " + std::to_string(id),
                    "tokens 0 to " + std::to_string(vocabulary_tokens - 1));
    }
    const std::string name = "logit_bias of token " + std::to_string(id);
    const Status checked = check({name.c_str(), value, -100, 100, "-100 to 100"});
    if (!checked) return checked;
  }
  return ok();
}

}  // namespace

Status SamplingOptions::validate(uint32_t vocabulary_tokens) const {
  // A temperature near 0 would turn large logits into infinities; greedy is what is meant then.
  if (temperature != 0) {
    const Status checked =
        check({"temperature", temperature, 1e-6f, 100, "0 (greedy), or 0.000001 to 100"});
    if (!checked) return checked;
  }
  if (top_k < 0) return refuse("top_k", std::to_string(top_k), "0 (off) or more");
  const Range ranges[] = {
      {"top_p", top_p, 0, 1, "0 to 1 (off)"},
      {"min_p", min_p, 0, 1, "0 (off) to 1"},
      {"repetition_penalty", repetition_penalty, 0.01f, 100, "0.01 to 100 (1 = off)"},
      {"presence_penalty", presence_penalty, -2, 2, "-2 to 2 (0 = off)"},
      {"frequency_penalty", frequency_penalty, -2, 2, "-2 to 2 (0 = off)"},
  };
  for (const Range& range : ranges) {
    const Status checked = check(range);
    if (!checked) return checked;
  }
  return check_bias(logit_bias, vocabulary_tokens);
}

}  // namespace ovenbird
