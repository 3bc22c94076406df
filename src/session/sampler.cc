// Penalties, filters and the draw. Whole-row passes are in row_passes.h; what comes after a filter
// works on the few entries that it kept, found by partial selection, never by a sort of the row.
#include "session/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "base/check.h"
#include "session/philox.h"
#include "session/row_passes.h"

namespace ovenbird {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

size_t block_count(uint32_t vocabulary_tokens) {
  return (vocabulary_tokens + kBlockScores - 1) / kBlockScores;
}

std::string describe_fault(std::span<const float> logits) {
  for (size_t id = 0; id < logits.size(); ++id) {
    if (std::isnan(logits[id])) return "token " + std::to_string(id) + " has NaN";
    if (std::isinf(logits[id]) && logits[id] > 0) return "token " + std::to_string(id) + " has inf";
  }
  return "no token has a finite one";
}

}  // namespace

Sampler::Sampler(SamplingOptions options, uint32_t vocabulary_tokens)
    : options_(std::move(options)), vocabulary_tokens_(vocabulary_tokens) {
  OVENBIRD_CHECK(vocabulary_tokens > 0);
  OVENBIRD_CHECK(options_.validate(vocabulary_tokens).has_value());
  const size_t blocks = block_count(vocabulary_tokens);
  scores_.assign(blocks * kBlockScores, kForbidden);
  weights_.resize(blocks * kBlockScores);
  block_best_.resize(blocks);
  block_weight_.resize(blocks);
  block_order_.reserve(blocks);
  kept_.reserve(vocabulary_tokens);
  order_.reserve(vocabulary_tokens);
}

Result<int32_t> Sampler::sample(std::span<const float> logits, const TokenCounts& history,
                                uint64_t position) {
  const Status scored = score(logits, history);
  if (!scored) return fail_in("sample position " + std::to_string(position), scored.error());
  if (options_.temperature == 0) return best_id();
  choose_kept();
  const double uniform = uniform_at(options_.seed, position);
  return all_kept_ ? draw_from_all(uniform) : draw(uniform);
}

Result<std::span<const Sampler::Candidate>> Sampler::distribution(std::span<const float> logits,
                                                                  const TokenCounts& history) {
  const Status scored = score(logits, history);
  if (!scored) return fail_in("compute a distribution", scored.error());
  candidates_.clear();
  if (options_.temperature == 0) {
    candidates_.push_back({best_id(), 1.0});
    return std::span<const Candidate>(candidates_);
  }
  choose_kept();
  for (const Kept& kept : kept_) {
    if (kept.weight > 0) candidates_.push_back({kept.id, kept.weight});
  }
  for (uint32_t id = 0; all_kept_ && id < vocabulary_tokens_; ++id) {
    if (weights_[id] > 0) candidates_.push_back({static_cast<int32_t>(id), weights_[id]});
  }
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.probability;
  for (Candidate& candidate : candidates_) candidate.probability /= total;
  return std::span<const Candidate>(candidates_);
}

Status Sampler::score(std::span<const float> logits, const TokenCounts& history) {
  OVENBIRD_CHECK(logits.size() == vocabulary_tokens_);
  OVENBIRD_CHECK(history.vocabulary_tokens() == vocabulary_tokens_);
  std::ranges::copy(logits, scores_.begin());
  for (const auto& [id, bias] : options_.logit_bias) scores_[id] += bias;
  apply_penalties(history);

  const bool divides = options_.temperature != 0 && options_.temperature != 1;
  bool has_nan = false;
  best_score_ = kForbidden;
  for (size_t block = 0; block < block_best_.size(); ++block) {
    float* scores = scores_.data() + block * kBlockScores;
    if (divides) divide_block(scores, options_.temperature);
    const BlockScan scan = scan_block(scores);
    block_best_[block] = scan.best;
    best_score_ = std::max(best_score_, scan.best);
    has_nan = has_nan || scan.has_nan;
  }
  if (!has_nan && std::isfinite(best_score_)) return ok();
  return fail(Code::kBadOutput, "of " + std::to_string(logits.size()) + " logits " +
                                    describe_fault(logits) +
                                    "; the device computed nonsense, try another --device");
}

void Sampler::apply_penalties(const TokenCounts& history) {
  const float repetition = options_.repetition_penalty;
  const float presence = options_.presence_penalty;
  const float frequency = options_.frequency_penalty;
  if (repetition == 1 && presence == 0 && frequency == 0) return;
  for (const int32_t id : history.distinct()) {
    float& score = scores_[id];
    score = score < 0 ? score * repetition : score / repetition;
    const uint32_t count = history.in_answer(id);
    if (count > 0) score -= presence + static_cast<float>(count) * frequency;
  }
}

int32_t Sampler::best_id() const {
  const auto block = std::ranges::find(block_best_, best_score_) - block_best_.begin();
  const auto from = scores_.begin() + block * static_cast<std::ptrdiff_t>(kBlockScores);
  return static_cast<int32_t>(std::find(from, scores_.end(), best_score_) - scores_.begin());
}

void Sampler::choose_kept() {
  kept_.clear();
  const auto top_k = static_cast<size_t>(options_.top_k);
  const bool has_top_k = top_k > 0 && top_k < vocabulary_tokens_;
  all_kept_ = !has_top_k && options_.top_p == 1 && options_.min_p == 0;
  double total = 0;
  if (has_top_k) {
    total = keep_top_k(top_k);
  } else {
    total = weigh_all();
    if (all_kept_) return;
    const double floor = options_.top_p < 1 ? top_p_floor(options_.top_p * total) : 0;
    keep_heavier_than(std::max(floor, double{options_.min_p}));
  }
  if (options_.top_p < 1) keep_top_p(options_.top_p * total);
  // The best token weighs exactly 1.
  std::erase_if(kept_, [this](const Kept& kept) { return kept.weight < options_.min_p; });
}

double Sampler::keep_top_k(size_t count) {
  // At least `count` blocks reach the best score of the count-th best block, so at least `count`
  // scores do: what is below cannot be among the best.
  float floor = kForbidden;
  if (count < block_best_.size()) {
    block_order_.assign(block_best_.begin(), block_best_.end());
    const auto nth = block_order_.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::nth_element(block_order_.begin(), nth, block_order_.end(), std::greater<>());
    floor = *nth;
  }
  for (size_t id = 0; id < vocabulary_tokens_; ++id) {
    if (id % kBlockScores == 0 && block_best_[id / kBlockScores] < floor) {
      id += kBlockScores - 1;
    } else if (scores_[id] >= floor) {
      kept_.push_back({scores_[id], 0, static_cast<int32_t>(id)});
    }
  }
  order_.assign(kept_.begin(), kept_.end());
  const auto nth = order_.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(order_.begin(), nth, order_.end(),
                   [](const Kept& a, const Kept& b) { return a.score > b.score; });
  const float least = nth->score;
  std::erase_if(kept_, [least](const Kept& kept) { return kept.score < least; });
  double total = 0;
  for (Kept& kept : kept_) {
    kept.weight = exp_nonpositive(kept.score - best_score_);
    total += kept.weight;
  }
  return total;
}

double Sampler::weigh_all() {
  double total = 0;
  for (size_t block = 0; block < block_weight_.size(); ++block) {
    const size_t first = block * kBlockScores;
    block_weight_[block] =
        weigh_block(scores_.data() + first, best_score_, weights_.data() + first);
    total += block_weight_[block];
  }
  return total;
}

double Sampler::top_p_floor(double wanted_weight) const {
  // The upper bits of a positive float grow with it: exponent and two bits of the fraction sort the
  // weights, which end at 1, into 509 classes, the heaviest last.
  constexpr int kDroppedBits = 21;
  std::array<double, 512> class_weight = {};
  for (const float weight : weights_) {
    class_weight[std::bit_cast<uint32_t>(weight) >> kDroppedBits] += weight;
  }
  double sum = 0;
  for (uint32_t i = class_weight.size(); i-- > 0;) {
    sum += class_weight[i];
    if (sum > 0 && sum >= wanted_weight) return std::bit_cast<float>(i << kDroppedBits);
  }
  return 0;
}

void Sampler::keep_heavier_than(double least_weight) {
  for (size_t id = 0; id < vocabulary_tokens_; ++id) {
    if (weights_[id] < least_weight) continue;
    kept_.push_back({scores_[id], weights_[id], static_cast<int32_t>(id)});
  }
}

void Sampler::keep_top_p(double wanted_weight) {
  const auto is_better = [](const Kept& a, const Kept& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  };
  // Quickselect by weight instead of by count: the last one kept lies in [first, last), and what is
  // better than all of these has less than the wanted weight.
  order_.assign(kept_.begin(), kept_.end());
  auto first = order_.begin();
  auto last = order_.end();
  double weight_before = 0;
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, is_better);
    double upper = 0;
    for (auto it = first; it != middle; ++it) upper += it->weight;
    if (weight_before + upper >= wanted_weight) {
      last = middle;
    } else {
      weight_before += upper;
      first = middle;
    }
  }
  const Kept worst = *first;
  std::erase_if(kept_, [&](const Kept& kept) { return is_better(worst, kept); });
}

int32_t Sampler::draw(double uniform) const {
  double total = 0;
  for (const Kept& kept : kept_) total += kept.weight;
  const double target = uniform * total;
  double sum = 0;
  int32_t drawn = kept_.front().id;
  for (const Kept& kept : kept_) {
    if (kept.weight == 0) continue;
    drawn = kept.id;
    sum += kept.weight;
    if (sum > target) break;
  }
  return drawn;
}

int32_t Sampler::draw_from_all(double uniform) const {
  double total = 0;
  for (const double weight : block_weight_) total += weight;
  const double target = uniform * total;
  double sum = 0;
  size_t drawn = 0;
  for (size_t block = 0; block < block_weight_.size(); ++block) {
    if (block_weight_[block] == 0) continue;
    const bool is_last = sum + block_weight_[block] > target;
    for (size_t id = block * kBlockScores; is_last && id < (block + 1) * kBlockScores; ++id) {
      if (weights_[id] == 0) continue;
      drawn = id;
      sum += weights_[id];
      if (sum > target) break;
    }
    if (is_last) break;
    sum += block_weight_[block];
  }
  return static_cast<int32_t>(drawn);
}

}  // namespace ovenbird
