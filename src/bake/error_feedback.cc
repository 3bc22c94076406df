// GPTQ by one Cholesky factor, scales searched sixteen at a time.
#include "bake/error_feedback.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "bake/nf4.h"
#include "bake/vector_code.h"
#include "base/check.h"

namespace ovenbird {
namespace {

constexpr double kDamping = 0.01;  // of the mean diagonal, as Frantar et al. have it
constexpr size_t kLanes = 16;      // scales that are tried side by side
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));

// By processors, which have fused products and sums beside the width.
#define OVENBIRD_WIDEST OVENBIRD_CLONES("arch=skylake-avx512", "arch=haswell")

/// The grids that a group may be rounded to: weight = (value - zero) * scale.
struct Grids {
  Lanes scale{}, inverse{}, zero{};
  float lowest = 0, highest = 0;
  bool is_nf4 = false;  // weight = kNf4Values[value] * scale
};

void set_scale(Grids& grids, size_t lane, float scale) {
  grids.scale[lane] = as_f16(scale);
  grids.inverse[lane] = grids.scale[lane] == 0.0f ? 0.0f : 1.0f / grids.scale[lane];
}

using Ends = std::array<float, kLanes / 2>;
constexpr Ends kI4Ends = {7.0f, 7.5f, 8.0f, 8.5f, 9.0f, 10.0f, 11.0f, 12.0f};
constexpr Ends kNf4Ends = {0.95f, 1.0f, 1.05f, 1.1f, 1.16f, 1.24f, 1.35f, 1.5f};

/// The weight of the largest magnitude comes to lie at each end, on either side: beyond the grid's
/// own end it is clipped, which whole rows and large groups gain from.
void set_scales(Grids& grids, std::span<const float> weights, const Ends& ends) {
  float extreme = 0.0f;
  for (const float weight : weights) extreme = std::max(extreme, std::fabs(weight));
  for (size_t end = 0; end < ends.size(); ++end) {
    set_scale(grids, 2 * end, extreme / ends[end]);
    set_scale(grids, 2 * end + 1, -extreme / ends[end]);
  }
}

Grids i4_grids(std::span<const float> weights) {
  Grids grids{.lowest = -8.0f, .highest = 7.0f};
  set_scales(grids, weights, kI4Ends);
  return grids;
}

Grids nf4_grids(std::span<const float> weights) {
  Grids grids{.is_nf4 = true};
  set_scales(grids, weights, kNf4Ends);
  return grids;
}

/// Parts of the range, from all of it to 70 %.
Grids u4_grids(std::span<const float> weights) {
  const auto [least, most] = std::minmax_element(weights.begin(), weights.end());
  const float low = std::min(*least, 0.0f);
  const float high = std::max(*most, 0.0f);
  Grids grids{.lowest = 0.0f, .highest = 15.0f};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const float part = 1.0f - 0.02f * static_cast<float>(lane);
    set_scale(grids, lane, part * (high / 15.0f - low / 15.0f));
    grids.zero[lane] = std::clamp(std::nearbyint(-low * part * grids.inverse[lane]), 0.0f, 15.0f);
  }
  return grids;
}

Grids grids_for(const MatrixFormat& format, std::span<const float> weights) {
  if (format.type == StoredType::kNf4) return nf4_grids(weights);
  return format.has_zeros ? u4_grids(weights) : i4_grids(weights);
}

/// What one group's roundings under every grid come to.
struct Trial {
  std::vector<Lanes> errors, values;  // [count] rounded less weight; the numbers that are stored
  Lanes losses{};
};

/// A group as its rounding sees it, in the order of rounding.
struct GroupView {
  const float* follow;  // its first row and column of ErrorFeedback::follow_
  uint64_t stride;
  const float* costs;
  std::span<const float> weights, targets;
};

/// What each lane's number is stored as, and what it then stands for before the scale.
struct Rounded {
  Lanes values, numbers;
};

inline Rounded round_to_whole(const Lanes& exact, const Grids& grids) {
  constexpr float kFar = 99.0f;  // beyond every grid
  Lanes number = exact < -kFar ? Lanes{} - kFar : exact;
  number = number > kFar ? Lanes{} + kFar : number;
  Lanes value = ((number + kRounder) - kRounder) + grids.zero;
  value = value < grids.lowest ? Lanes{} + grids.lowest : value;
  value = value > grids.highest ? Lanes{} + grids.highest : value;
  return {value, value - grids.zero};
}

inline Rounded round_to_nf4(const Lanes& number) {
  Rounded rounded{Lanes{}, Lanes{} + kNf4Values[0]};
  for (size_t code = 0; code + 1 < kNf4Values.size(); ++code) {
    const auto is_beyond = number > nf4_border(code);
    rounded.values = is_beyond ? Lanes{} + static_cast<float>(code + 1) : rounded.values;
    rounded.numbers = is_beyond ? Lanes{} + kNf4Values[code + 1] : rounded.numbers;
  }
  return rounded;
}

/// Rounds weight k of the group, whose target the errors before it move by `shift`.
inline void try_weight(const GroupView& group, const Grids& grids, uint64_t k, const Lanes& shift,
                       Trial& trial) {
  const Lanes target = group.targets[k] - shift;
  const Lanes number = target * grids.inverse;
  const Rounded rounding = grids.is_nf4 ? round_to_nf4(number) : round_to_whole(number, grids);
  const Lanes rounded = rounding.numbers * grids.scale;
  trial.values[k] = rounding.values;
  trial.errors[k] = rounded - group.weights[k];
  trial.losses += group.costs[k] * (rounded - target) * (rounded - target);
}

/// Weights side by side share the reading of errors before them, and their sums do not wait for one
/// another.
template <uint64_t kTile>
inline void try_tile(const GroupView& group, const Grids& grids, uint64_t first, Trial& trial) {
  const float* follow = group.follow + first * group.stride;
  Lanes shifts[kTile] = {};
  for (uint64_t i = 0; i < first; ++i) {
    const Lanes error = trial.errors[i];
    for (uint64_t t = 0; t < kTile; ++t) shifts[t] += follow[t * group.stride + i] * error;
  }
  for (uint64_t t = 0; t < kTile; ++t) {
    for (uint64_t i = first; i < first + t; ++i) {
      shifts[t] += follow[t * group.stride + i] * trial.errors[i];
    }
    try_weight(group, grids, first + t, shifts[t], trial);
  }
}

OVENBIRD_WIDEST void try_grids(const GroupView& group, const Grids& grids, Trial& trial) {
  constexpr uint64_t kTile = 4;
  const uint64_t count = group.weights.size();
  trial.losses = Lanes{};
  uint64_t first = 0;
  for (; first + kTile <= count; first += kTile) try_tile<kTile>(group, grids, first, trial);
  for (; first < count; ++first) try_tile<1>(group, grids, first, trial);
}

OVENBIRD_WIDEST float dot(const float* left, const float* right, size_t count) {
  std::array<float, kLanes> sums{};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += left[i + lane] * right[i + lane];
  }
  for (; i < count; ++i) sums[0] += left[i] * right[i];
  return std::accumulate(sums.begin(), sums.end(), 0.0f);
}

}  // namespace

ErrorFeedback::ErrorFeedback(std::span<const float> gram, uint64_t columns, uint64_t group)
    : columns_(columns) {
  OVENBIRD_CHECK(gram.size() == columns * columns && group > 0);
  choose_order(gram, group);
  factorize(gram);
}

void ErrorFeedback::choose_order(std::span<const float> gram, uint64_t group) {
  const auto energy = [&](uint64_t column) { return gram[column * columns_ + column]; };
  std::vector<std::pair<double, Group>> found;
  for (uint64_t first = 0, index = 0; first < columns_; first += group, ++index) {
    const uint64_t count = std::min(group, columns_ - first);
    double total = 0;
    for (uint64_t column = first; column < first + count; ++column) total += energy(column);
    found.push_back({total, {.index = index, .first = first, .count = count}});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [total, next] : found) {
    const auto begin = order_.insert(order_.end(), next.count, 0);
    std::iota(begin, order_.end(), static_cast<uint32_t>(next.first));
    std::stable_sort(begin, order_.end(),
                     [&](uint32_t a, uint32_t b) { return energy(a) > energy(b); });
    next.first = order_.size() - next.count;
    groups_.push_back(next);
  }
}

/// R is the Cholesky factor of the matrix turned by 180 degrees, turned back.
void ErrorFeedback::factorize(std::span<const float> gram) {
  const uint64_t n = columns_;
  const auto turned = [&](uint64_t k) { return order_[n - 1 - k]; };
  double mean = 0;
  for (uint64_t k = 0; k < n; ++k) mean += gram[k * n + k] / static_cast<double>(n);
  Eigen::MatrixXf factor(n, n);  // columns lie behind one another
  for (double damping = kDamping;; damping *= 10) {
    const auto added = static_cast<float>(mean > 0 ? damping * mean : 1.0);
    for (uint64_t k = 0; k < n; ++k) {
      for (uint64_t i = k; i < n; ++i) factor(i, k) = gram[turned(k) * n + turned(i)];
      factor(k, k) += added;
    }
    if (Eigen::LLT<Eigen::Ref<Eigen::MatrixXf>>(factor).info() == Eigen::Success) break;
    OVENBIRD_CHECK(damping < 1e6);  // a diagonal matrix always has a factor
  }
  follow_.resize(n * n);
  costs_.resize(n);
  for (uint64_t k = 0; k < n; ++k) {
    const float pivot = factor(n - 1 - k, n - 1 - k);
    costs_[k] = pivot * pivot;
    for (uint64_t i = 0; i < k; ++i) follow_[k * n + i] = factor(n - 1 - i, n - 1 - k) / pivot;
  }
}

/// One row on its way: what has been rounded so far, and its errors.
class ErrorFeedback::RowRounder {
 public:
  RowRounder(const ErrorFeedback& feedback, const MatrixFormat& format, std::span<const float> row,
             const RowSink& sink)
      : feedback_(feedback), format_(format), row_(row), sink_(sink), errors_(row.size()) {}

  /// False if f16 holds no scale for the group.
  bool round(const Group& group) {
    take_targets(group);
    const Grids grids = grids_for(format_, targets_);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      if (!std::isfinite(grids.scale[lane])) return false;
    }
    trial_.errors.resize(group.count);
    trial_.values.resize(group.count);
    const uint64_t stride = feedback_.columns_;
    try_grids({.follow = &feedback_.follow_[group.first * stride + group.first],
               .stride = stride,
               .costs = &feedback_.costs_[group.first],
               .weights = weights_,
               .targets = targets_},
              grids, trial_);
    size_t best = 0;
    for (size_t lane = 1; lane < kLanes; ++lane) {
      if (trial_.losses[lane] < trial_.losses[best]) best = lane;
    }
    keep(group, grids, best);
    return true;
  }

  double loss() const { return loss_; }

 private:
  /// The weights less what the groups before ask for.
  void take_targets(const Group& group) {
    weights_.resize(group.count);
    targets_.resize(group.count);
    for (uint64_t i = 0; i < group.count; ++i) {
      const uint64_t k = group.first + i;
      weights_[i] = row_[feedback_.order_[k]];
      targets_[i] = weights_[i] -
                    dot(&feedback_.follow_[k * feedback_.columns_], errors_.data(), group.first);
    }
  }

  void keep(const Group& group, const Grids& grids, size_t lane) {
    loss_ += trial_.losses[lane];
    put_f16(sink_.scales, group.index, grids.scale[lane]);
    if (format_.has_zeros) {
      sink_.zeros[group.index] = static_cast<std::byte>(grids.zero[lane]);
    }
    for (uint64_t i = 0; i < group.count; ++i) {
      const uint64_t k = group.first + i;
      errors_[k] = trial_.errors[i][lane];
      put_nibble(sink_.values, feedback_.order_[k],
                 static_cast<uint32_t>(static_cast<int32_t>(trial_.values[i][lane])));
    }
  }

  const ErrorFeedback& feedback_;
  const MatrixFormat& format_;
  std::span<const float> row_;
  const RowSink& sink_;
  std::vector<float> errors_;  // [columns] rounded less row, in the order of rounding
  double loss_ = 0;
  // Of the group at hand:
  std::vector<float> weights_, targets_;
  Trial trial_;
};

std::optional<double> ErrorFeedback::round(const MatrixFormat& format, std::span<const float> row,
                                           const RowSink& sink) const {
  OVENBIRD_CHECK(row.size() == columns_);
  if (!all_finite(row)) return std::nullopt;
  std::fill(sink.values.begin(), sink.values.end(), std::byte{0});
  RowRounder rounder(*this, format, row, sink);
  for (const Group& group : groups_) {
    if (!rounder.round(group)) return std::nullopt;
  }
  return rounder.loss();
}

}  // namespace ovenbird
