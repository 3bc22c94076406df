// What the toy model says, computed from a list of tokens alone: no masks, no cache, no graphs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "fakes/toy_model.h"
#include "session/sampler.h"
#include "session/token_counts.h"

namespace ovenbird {

/// Which tokens the newest one sees.
class ReferenceView {
 public:
  /// The newest `tokens_max`, counted from 0 again and again.
  static ReferenceView window(uint32_t tokens_max) { return {tokens_max, 0, 1}; }
  /// All; but when there are `tokens_max`, half of those behind the first 4 (or a quarter) go.
  static ReferenceView cache(uint32_t tokens_max) {
    const uint32_t sinks = std::min(4u, tokens_max / 4);
    return {tokens_max, sinks, std::max((tokens_max - sinks) / 2, 1u)};
  }

  void push(int32_t token) {
    if (seen_.size() == tokens_max_) {
      seen_.erase(seen_.begin() + sinks_, seen_.begin() + sinks_ + dropped_at_once_);
      dropped_ += dropped_at_once_;
    }
    seen_.push_back(token);
  }
  void push(std::span<const int32_t> tokens) {
    for (const int32_t token : tokens) push(token);
  }
  /// Back to the first `tokens` of all that were pushed, which must all be there still.
  void truncate(size_t tokens) { seen_.resize(tokens - dropped_); }

  std::span<const int32_t> seen() const { return seen_; }
  size_t dropped() const { return dropped_; }

 private:
  ReferenceView(uint32_t tokens_max, uint32_t sinks, uint32_t dropped_at_once)
      : tokens_max_(tokens_max), sinks_(sinks), dropped_at_once_(dropped_at_once) {}

  uint32_t tokens_max_;
  uint32_t sinks_;
  uint32_t dropped_at_once_;
  std::vector<int32_t> seen_;
  size_t dropped_ = 0;
};

inline std::vector<float> reference_logits(const ToyModel& model, const ReferenceView& view) {
  std::vector<float> logits(model.vocabulary());
  model.write_logits(view.seen(), logits);
  return logits;
}

/// The answer of `count` tokens to `prompt`, of which `view` has already seen the first `pushed`.
inline std::vector<int32_t> reference_answer(const ToyModel& model, ReferenceView view,
                                             std::span<const int32_t> prompt, size_t count,
                                             const SamplingOptions& sampling = {},
                                             size_t pushed = 0) {
  Sampler sampler(sampling, model.vocabulary());
  TokenCounts history(model.vocabulary());
  for (const int32_t token : prompt) history.push(token);
  history.start_answer();
  view.push(prompt.subspan(pushed));
  std::vector<int32_t> answer;
  while (true) {
    const Result<int32_t> id =
        sampler.sample(reference_logits(model, view), history, history.tokens().size());
    answer.push_back(*id);
    if (answer.size() == count) return answer;
    history.push(*id);
    view.push(*id);
  }
}

}  // namespace ovenbird
