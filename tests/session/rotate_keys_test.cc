// Key rotation: a key turned from position p to q is the key that would have been computed at q.
#include "session/rotate_keys.h"

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "allocation_counter.h"
#include "base/float16.h"
#include "session/float16_lanes.h"

namespace ovenbird {
namespace {

std::vector<double> frequencies(size_t pairs) {
  std::vector<double> result(pairs);
  for (size_t i = 0; i < pairs; ++i) result[i] = std::pow(10000.0, -double(i) / double(pairs));
  return result;
}

/// The definition, in double: the key [head_dim] that belongs to `position`.
std::vector<double> embed(const std::vector<double>& key, const std::vector<double>& inverse,
                          double position) {
  const size_t pairs = inverse.size();
  std::vector<double> result(key.size());
  for (size_t i = 0; i < pairs; ++i) {
    const double cosine = std::cos(position * inverse[i]);
    const double sine = std::sin(position * inverse[i]);
    result[i] = key[i] * cosine - key[i + pairs] * sine;
    result[i + pairs] = key[i + pairs] * cosine + key[i] * sine;
  }
  return result;
}

struct FloatCache {
  using Element = float;
  static constexpr double kTolerance = 3e-7;  // of a pair's length
  static Element encode(double value) { return static_cast<float>(value); }
  static double decode(Element element) { return element; }
};

struct HalfCache {
  using Element = uint16_t;
  static constexpr double kTolerance = 1.1e-3;  // two roundings of 2^-11
  static Element encode(double value) { return f32_to_f16(static_cast<float>(value)); }
  static double decode(Element element) { return f16_to_f32(element); }
};

TEST_CASE_TEMPLATE("turned from p to q is embedded at q, and other rows stay", Cache, FloatCache,
                   HalfCache) {
  std::mt19937 random(2);
  std::normal_distribution<double> normal;
  for (const size_t head_dim : {2, 18, 64, 80, 128}) {
    const KeyRows which{.kv_heads = 3, .past = 7, .head_dim = head_dim, .first_row = 2, .rows = 4};
    const std::vector<double> inverse = frequencies(head_dim / 2);
    for (const auto& [from, to] : {std::pair{5000, 12}, {3, 1900}, {77, 77}}) {
      std::vector<typename Cache::Element> keys;
      std::vector<double> expected;
      std::vector<double> lengths;
      for (size_t row = 0; row < 3 * 7; ++row) {
        std::vector<double> key(head_dim);
        for (double& element : key) element = normal(random);
        const bool is_turned = row % 7 >= 2 && row % 7 < 6;
        const double offset = double(row % 7);
        for (const double element : embed(key, inverse, from + offset)) {
          keys.push_back(Cache::encode(element));
          if (!is_turned) expected.push_back(Cache::decode(keys.back()));
        }
        if (!is_turned) lengths.insert(lengths.end(), head_dim, 0.0);
        if (!is_turned) continue;
        const std::vector<double> wanted = embed(key, inverse, to + offset);
        expected.insert(expected.end(), wanted.begin(), wanted.end());
        for (size_t i = 0; i < head_dim; ++i) {
          const size_t pair = i % (head_dim / 2);
          lengths.push_back(std::hypot(key[pair], key[pair + head_dim / 2]));
        }
      }

      KeyRotation(inverse, to - from).apply(keys, which);

      for (size_t i = 0; i < keys.size(); ++i) {
        REQUIRE(std::abs(Cache::decode(keys[i]) - expected[i]) <= Cache::kTolerance * lengths[i]);
      }
    }
  }
}

TEST_CASE("transformers' apply_rotary_pos_emb gives the same keys") {
  std::ifstream in(OVENBIRD_TEST_DATA "/session/rotation_goldens.txt");
  in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');  // the versions
  std::string word;
  std::string name;
  KeyRows which;
  int64_t from = 0;
  int64_t to = 0;
  size_t cases = 0;
  while (in >> word >> name >> which.kv_heads >> which.past >> which.head_dim >> from >> to) {
    CAPTURE(name);
    which.rows = which.past;
    std::vector<double> inverse(which.head_dim / 2);
    std::vector<float> keys(which.kv_heads * which.past * which.head_dim);
    std::vector<float> expected(keys.size());
    for (double& value : inverse) in >> value;
    for (float& value : keys) in >> value;
    for (float& value : expected) in >> value;
    REQUIRE(in);

    KeyRotation(inverse, to - from).apply(keys, which);

    for (size_t i = 0; i < keys.size(); ++i) CHECK(std::abs(keys[i] - expected[i]) < 5e-5f);
    ++cases;
  }
  CHECK(cases == 4);
}

TEST_CASE("no rows, no difference: nothing changes") {
  const std::vector<double> inverse = frequencies(8);
  std::vector<uint16_t> keys(16 * 4);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = f32_to_f16(float(i) / 7);
  const std::vector<uint16_t> before = keys;

  KeyRotation(inverse, 5)
      .apply(keys, {.kv_heads = 1, .past = 4, .head_dim = 16, .first_row = 4, .rows = 0});
  CHECK(keys == before);
  KeyRotation(inverse, 0).apply(keys, {.kv_heads = 1, .past = 4, .head_dim = 16, .rows = 4});
  CHECK(keys == before);
}

TEST_CASE("turning allocates nothing") {
  const KeyRotation rotation(frequencies(8), 5);
  std::vector<uint16_t> keys(16 * 4);
  const size_t before = allocations_so_far();
  rotation.apply(keys, {.kv_heads = 1, .past = 4, .head_dim = 16, .rows = 4});
  const size_t after = allocations_so_far();
  CHECK(after - before == 0);
}

TEST_CASE("lanes: every half becomes the float that the hardware type makes of it") {
  for (uint32_t half = 0; half <= 0xffff; ++half) {
    const float expected = f16_to_f32(static_cast<uint16_t>(half));
    const float seen = f16_lane_to_f32(static_cast<uint16_t>(half));
    if (std::isnan(expected)) {
      REQUIRE(std::isnan(seen));
    } else {
      REQUIRE(std::bit_cast<uint32_t>(seen) == std::bit_cast<uint32_t>(expected));
    }
  }
}

void check_half_of(float value) {
  const uint16_t expected = f32_to_f16(value);
  const uint16_t seen = f32_lane_to_f16(value);
  if (std::isnan(value)) {
    REQUIRE(std::isnan(f16_to_f32(seen)));
  } else {
    REQUIRE(seen == expected);
  }
}

TEST_CASE("lanes: floats round to the half that the hardware type rounds to") {
  // Around every half and every midpoint of two: the float itself and its neighbours.
  for (uint32_t half = 0; half < 0xffff; ++half) {
    const auto bits = std::bit_cast<uint32_t>(f16_to_f32(static_cast<uint16_t>(half)));
    for (const uint32_t middle : {bits, bits + 0x1000}) {
      for (const uint32_t near : {middle - 1, middle, middle + 1}) {
        check_half_of(std::bit_cast<float>(near));
      }
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 1'000'000; ++i) {
    check_half_of(std::bit_cast<float>(static_cast<uint32_t>(random())));
  }
}

}  // namespace
}  // namespace ovenbird
