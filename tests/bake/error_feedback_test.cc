// Rounding with error feedback, against the textbook's GPTQ with explicit inverses in doubles.
#include "bake/error_feedback.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "bake/row_reader.h"

namespace ovenbird {
namespace {

using Matrix = std::vector<std::vector<double>>;

constexpr MatrixFormat nf4(uint64_t group) { return {.type = StoredType::kNf4, .group = group}; }
constexpr MatrixFormat i4(uint64_t group) { return {.type = StoredType::kI4, .group = group}; }
constexpr MatrixFormat u4(uint64_t group) {
  return {.type = StoredType::kU4, .group = group, .has_zeros = true};
}

struct Layer {
  std::vector<float> gram;  // [columns, columns]
  std::vector<std::vector<float>> rows;
};

/// Inputs that hang together, some channels much larger than others; a few rows of weights.
Layer random_layer(size_t columns, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Layer layer{.gram = std::vector<float>(columns * columns)};
  std::vector<float> size(columns);
  for (float& value : size) value = std::exp(normal(generator));
  for (size_t token = 0; token < 4 * columns; ++token) {
    const float shared = normal(generator);
    std::vector<float> input(columns);
    for (size_t i = 0; i < columns; ++i) input[i] = size[i] * (shared + normal(generator));
    for (size_t i = 0; i < columns; ++i) {
      for (size_t j = 0; j < columns; ++j) layer.gram[i * columns + j] += input[i] * input[j];
    }
  }
  for (int row = 0; row < 6; ++row) {
    layer.rows.emplace_back(columns);
    for (float& weight : layer.rows.back()) weight = 0.05f * normal(generator);
  }
  return layer;
}

Matrix damped(const std::vector<float>& gram, size_t columns) {
  Matrix result(columns, std::vector<double>(columns));
  double mean = 0;
  for (size_t i = 0; i < columns; ++i) mean += gram[i * columns + i] / double(columns);
  for (size_t i = 0; i < columns; ++i) {
    for (size_t j = 0; j < columns; ++j) result[i][j] = gram[i * columns + j];
    result[i][i] += 0.01 * mean;
  }
  return result;
}

/// By Gauss and Jordan.
Matrix inverse(Matrix matrix) {
  const size_t size = matrix.size();
  Matrix result(size, std::vector<double>(size));
  for (size_t i = 0; i < size; ++i) result[i][i] = 1;
  for (size_t pivot = 0; pivot < size; ++pivot) {
    const double factor = matrix[pivot][pivot];
    for (size_t j = 0; j < size; ++j) matrix[pivot][j] /= factor, result[pivot][j] /= factor;
    for (size_t i = 0; i < size; ++i) {
      if (i == pivot) continue;
      const double times = matrix[i][pivot];
      for (size_t j = 0; j < size; ++j) {
        matrix[i][j] -= times * matrix[pivot][j];
        result[i][j] -= times * result[pivot][j];
      }
    }
  }
  return result;
}

double error_under(const Matrix& gram, const std::vector<double>& difference) {
  double error = 0;
  for (size_t i = 0; i < gram.size(); ++i) {
    for (size_t j = 0; j < gram.size(); ++j) error += difference[i] * gram[i][j] * difference[j];
  }
  return error;
}

std::vector<double> difference(const StoredRow& stored, const std::vector<float>& row) {
  std::vector<double> result(row.size());
  for (size_t i = 0; i < row.size(); ++i) result[i] = stored.weight(i) - double(row[i]);
  return result;
}

/// Optimal brain quantization in a given order, one inverse for each step: after weight k is
/// rounded, those left move by -(w_k - q_k) / [H^-1]_kk * H^-1_k, H without what is done.
std::vector<double> textbook(const Matrix& gram, const std::vector<float>& row,
                             const StoredRow& stored, uint64_t group,
                             const std::vector<size_t>& order) {
  std::vector<double> weights(row.begin(), row.end());
  for (size_t step = 0; step < order.size(); ++step) {
    const size_t left = order.size() - step;
    Matrix rest(left, std::vector<double>(left));
    for (size_t i = 0; i < left; ++i) {
      for (size_t j = 0; j < left; ++j) rest[i][j] = gram[order[step + i]][order[step + j]];
    }
    const Matrix inverted = inverse(rest);
    const size_t column = order[step];
    const double scale = stored.scale(column / group);
    const double rounded = std::clamp(std::nearbyint(weights[column] / scale), -8.0, 7.0) * scale;
    const double error = (weights[column] - rounded) / inverted[0][0];
    for (size_t i = 1; i < left; ++i) weights[order[step + i]] -= error * inverted[0][i];
    weights[column] = rounded;
  }
  return weights;
}

TEST_CASE("under the scales that were chosen, every weight is the textbook's") {
  constexpr size_t kColumns = 24;
  for (uint32_t seed = 0; seed < 5; ++seed) {
    const Layer layer = random_layer(kColumns, seed);
    const Matrix gram = damped(layer.gram, kColumns);
    std::vector<size_t> order(kColumns);  // the whole row is one group: by energy
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return layer.gram[a * kColumns + a] > layer.gram[b * kColumns + b];
    });
    const ErrorFeedback feedback(layer.gram, kColumns, kColumns);
    for (const std::vector<float>& row : layer.rows) {
      const StoredRow stored(i4(kColumns), kColumns);
      const std::optional<double> error = feedback.round(i4(kColumns), row, stored.sink());
      REQUIRE(error);
      const std::vector<double> wanted = textbook(gram, row, stored, kColumns, order);
      for (size_t i = 0; i < kColumns; ++i) CHECK(stored.weight(i) == doctest::Approx(wanted[i]));
      CHECK(*error == doctest::Approx(error_under(gram, difference(stored, row))).epsilon(1e-3));
    }
  }
}

TEST_CASE("the output error is smaller than that of rounding to nearest, in every layout") {
  constexpr size_t kColumns = 80;
  for (const uint64_t group : {16, 32, 64, 80}) {
    for (const MatrixFormat& format : {i4(group), u4(group), nf4(group)}) {
      CAPTURE(name_of(format.type));
      CAPTURE(group);
      const Layer layer = random_layer(kColumns, 7);
      const Matrix gram = damped(layer.gram, kColumns);
      const ErrorFeedback feedback(layer.gram, kColumns, group);
      double with_feedback = 0, nearest = 0;
      for (const std::vector<float>& row : layer.rows) {
        const StoredRow stored(format, kColumns);
        const std::optional<double> error = feedback.round(format, row, stored.sink());
        REQUIRE(error);
        with_feedback += error_under(gram, difference(stored, row));
        CHECK(*error == doctest::Approx(error_under(gram, difference(stored, row))).epsilon(1e-2));
        const StoredRow plain(format, kColumns);
        REQUIRE(quantize_row(format, row, plain.sink()));
        nearest += error_under(gram, difference(plain, row));
      }
      CHECK(with_feedback < 0.6 * nearest);
    }
  }
}

TEST_CASE("inputs that are all zero, or always the same, are no trouble") {
  const std::vector<float> row(16, 0.25f);
  for (const float value : {0.0f, 1.0f, 1e-20f, 1e15f}) {
    const ErrorFeedback feedback(std::vector<float>(16 * 16, value), 16, 8);
    const StoredRow stored(i4(8), 16);
    REQUIRE(feedback.round(i4(8), row, stored.sink()));
    for (size_t i = 0; i < 16; ++i) CHECK(std::abs(stored.weight(i) - 0.25) < 0.03);
  }
}

TEST_CASE("rows that no 4-bit format holds are refused") {
  const ErrorFeedback feedback(std::vector<float>(16 * 16, 1.0f), 16, 8);
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    std::vector<float> row(16, 0.25f);
    row[3] = bad;
    const StoredRow stored(i4(8), 16);
    CHECK(!feedback.round(i4(8), row, stored.sink()));
  }
}

}  // namespace
}  // namespace ovenbird
