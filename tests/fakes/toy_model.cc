// The toy's arithmetic: integer hashes for logits, real rotations for keys.
#include "fakes/toy_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/check.h"
#include "base/float16.h"

namespace ovenbird {
namespace {

// The first turn tells positions apart within 64, the second which 64 it is; the others only check.
constexpr double kTau = 2 * std::numbers::pi;
constexpr double kFine = 64;
constexpr double kCoarse = ToyModel::kPositionsMax;
constexpr std::array<double, 4> kFrequencies = {kTau / kFine, kTau / kCoarse, 1.0, kTau / 5};

// Two roundings to f16 of numbers up to 1; the next position is 0.09 away.
constexpr float kTolerance = 4e-3f;

/// splitmix64.
uint64_t mix(uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

/// [0, 1), of 24 bits: exact in a float.
float unit(uint64_t hash) { return static_cast<float>(hash >> 40) * 0x1p-24f; }

}  // namespace

ModelFacts ToyModel::facts(uint32_t vocabulary, uint32_t context) {
  OVENBIRD_CHECK(vocabulary <= kVocabularyMax && context <= kPositionsMax);
  return {.architecture = "llama",
          .description = "a toy",
          .layers = kLayers,
          .hidden = kHeadDim * kKvHeads,
          .heads = kKvHeads,
          .kv_heads = kKvHeads,
          .head_dim = kHeadDim,
          .vocabulary = vocabulary,
          .context = context,
          .rope_frequencies = {kFrequencies.begin(), kFrequencies.end()}};
}

ToyModel::ToyModel(const Manifest& manifest)
    : vocabulary_(manifest.model.vocabulary), type_(manifest.cache_type) {
  OVENBIRD_CHECK(manifest.model.layers == kLayers && manifest.model.kv_heads == kKvHeads);
  for (uint32_t head = 0; head < kLayers * kKvHeads; ++head) {
    for (uint32_t token = 0; token < vocabulary_; ++token) {
      for (uint32_t pair = 0; pair < kPairs; ++pair) {
        const double angle = kTau * unit(mix(token + mix(head + mix(pair))));
        base_.push_back({float(std::cos(angle)), float(std::sin(angle))});
      }
    }
  }
  for (uint32_t position = 0; position < manifest.model.context; ++position) {
    for (const double frequency : kFrequencies) {
      turns_.push_back(
          {float(std::cos(position * frequency)), float(std::sin(position * frequency))});
    }
  }
}

void ToyModel::write_logits(std::span<const int32_t> tokens, std::span<float> logits) const {
  OVENBIRD_CHECK(!tokens.empty() && logits.size() == vocabulary_);
  uint64_t seen = 0;
  for (size_t position = 0; position < tokens.size(); ++position) {
    seen += mix(uint64_t(tokens[position]) << 32 | position);
  }
  seen = mix(seen + tokens.size());
  for (size_t id = 0; id < logits.size(); ++id) logits[id] = 4 * unit(mix(seen + id));

  const auto before = std::find(tokens.rbegin() + 1, tokens.rend(), tokens.back());
  const bool repeats = seen % 8 != 0;
  if (before != tokens.rend() && repeats) logits[*(before.base())] += 6;
}

ToyModel::Turn ToyModel::base(uint32_t head, int32_t token, uint32_t pair) const {
  return base_[(head * vocabulary_ + uint32_t(token)) * kPairs + pair];
}

ToyModel::Turn ToyModel::key(uint32_t head, int32_t token, uint32_t position, uint32_t pair) const {
  const Turn from = base(head, token, pair);
  const Turn by = turns_[size_t{position} * kPairs + pair];
  return {from.cosine * by.cosine - from.sine * by.sine,
          from.sine * by.cosine + from.cosine * by.sine};
}

float ToyModel::value(uint32_t head, int32_t token, uint32_t index) const {
  if (index == 0) return static_cast<float>(token);
  return static_cast<float>(mix(index + mix(head + mix(uint64_t(token)))) % 1024);
}

void ToyModel::write_row(std::span<std::byte* const> tensors, uint32_t rows, uint32_t row,
                         int32_t token, uint32_t position) const {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    for (uint32_t kv_head = 0; kv_head < kKvHeads; ++kv_head) {
      const uint32_t head = layer * kKvHeads + kv_head;
      const size_t first = (size_t{kv_head} * rows + row) * kHeadDim;
      for (uint32_t pair = 0; pair < kPairs; ++pair) {
        const Turn turned = key(head, token, position, pair);
        store(tensors[2 * layer], first + pair, turned.cosine);
        store(tensors[2 * layer], first + pair + kPairs, turned.sine);
      }
      for (uint32_t i = 0; i < kHeadDim; ++i) {
        store(tensors[2 * layer + 1], first + i, value(head, token, i));
      }
    }
  }
}

ToyRow ToyModel::read_row(std::span<std::byte* const> tensors, uint32_t rows, uint32_t row) const {
  const size_t first = size_t{row} * kHeadDim;
  const float token = load(tensors[1], first);
  if (!(token >= 0 && token < float(vocabulary_) && token == std::floor(token))) return {};
  std::array<float, kHeadDim> key_row;
  for (uint32_t i = 0; i < kHeadDim; ++i) key_row[i] = load(tensors[0], first + i);
  ToyRow read{.token = static_cast<int32_t>(token)};
  read.position = read_position(read.token, key_row);
  read.is_sound = size_t{read.position} * kPairs < turns_.size();
  for (uint32_t kv_head = 0; kv_head < kKvHeads; ++kv_head) {
    const size_t first_of_head = (size_t{kv_head} * rows + row) * kHeadDim;
    read.is_sound = read.is_sound && holds(tensors, first_of_head, kv_head, read);
  }
  return read;
}

uint32_t ToyModel::read_position(int32_t token, std::span<const float> key_row) const {
  const auto turned_by = [&](uint32_t pair) {
    const Turn from = base(0, token, pair);
    const float cosine = key_row[pair] * from.cosine + key_row[pair + kPairs] * from.sine;
    const float sine = key_row[pair + kPairs] * from.cosine - key_row[pair] * from.sine;
    return std::atan2(double(sine), double(cosine)) / kTau;
  };
  const double fine = turned_by(0) * kFine;
  const double coarse = turned_by(1) * kCoarse;
  const double position = std::round((coarse - fine) / kFine) * kFine + fine;
  if (!std::isfinite(position)) return 0;  // the row is not sound, which holds() finds
  const double positions = kPositionsMax;
  return static_cast<uint32_t>(std::fmod(std::round(position) + positions, positions));
}

bool ToyModel::holds(std::span<std::byte* const> tensors, size_t first_number, uint32_t kv_head,
                     const ToyRow& row) const {
  const auto near = [](float a, float b) { return std::fabs(a - b) < kTolerance; };
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const uint32_t head = layer * kKvHeads + kv_head;
    const std::byte* keys = tensors[2 * layer];
    for (uint32_t pair = 0; pair < kPairs; ++pair) {
      const Turn wanted = key(head, row.token, row.position, pair);
      if (!near(load(keys, first_number + pair), wanted.cosine)) return false;
      if (!near(load(keys, first_number + pair + kPairs), wanted.sine)) return false;
    }
    for (uint32_t i = 0; i < kHeadDim; ++i) {
      const float found = load(tensors[2 * layer + 1], first_number + i);
      if (found != value(head, row.token, i)) return false;
    }
  }
  return true;
}

float ToyModel::load(const std::byte* tensor, size_t index) const {
  if (type_ == CacheType::kF16) return f16_to_f32(reinterpret_cast<const uint16_t*>(tensor)[index]);
  return reinterpret_cast<const float*>(tensor)[index];
}

void ToyModel::store(std::byte* tensor, size_t index, float number) const {
  if (type_ == CacheType::kF16) {
    reinterpret_cast<uint16_t*>(tensor)[index] = f32_to_f16(number);
  } else {
    reinterpret_cast<float*>(tensor)[index] = number;
  }
}

}  // namespace ovenbird
