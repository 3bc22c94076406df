// Rounding a row so that each weight makes up for what rounding those before it did to the output.
// Pure arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bake/quantize.h"
#include "bake/stored_weights.h"

namespace ovenbird {

/// What a matrix is multiplied by, as far as rounding its rows must know. Immutable.
///
/// The method is GPTQ (Frantar et al. 2022): of all roundings q of a row w, one with a small output
/// error (q - w)^T G (q - w), where G is the sum of x x^T over many inputs x. With G = R R^T, R
/// upper triangular, that error is the sum over k of R_kk^2 (q_k - t_k)^2, where the target t_k is
/// w_k less what the errors before k ask for; so each q_k is rounded to its own target (Chen et al.
/// 2025 show that this is GPTQ, and Babai's nearest plane). No inverse is needed. Columns of much
/// input come first, by groups and inside a group. A group's scale is the one, of a few, under
/// which its own errors cost least.
class ErrorFeedback {
 public:
  /// gram   [columns, columns], G; symmetric, finite
  /// group  columns that share a scale
  /// Damped by a hundredth of its mean diagonal, more if it is singular even so.
  ErrorFeedback(std::span<const float> gram, uint64_t columns, uint64_t group);

  /// Rounds `row` [columns] to a 4-bit format of the same group. Returns the output error, none if
  /// the row holds what quantize_row() refuses. May be called from many threads.
  std::optional<double> round(const MatrixFormat& format, std::span<const float> row,
                              const RowSink& sink) const;

 private:
  class RowRounder;
  struct Group {
    uint64_t index;         // in the row
    uint64_t first, count;  // positions in order_
  };

  void choose_order(std::span<const float> gram, uint64_t group);
  void factorize(std::span<const float> gram);

  uint64_t columns_;
  std::vector<uint32_t> order_;  // [columns] the column that is rounded k-th
  std::vector<Group> groups_;    // in the order of rounding
  std::vector<float> follow_;    // [columns, columns] row k: R_ik / R_kk for i < k
  std::vector<float> costs_;     // [columns] R_kk^2
};

}  // namespace ovenbird
