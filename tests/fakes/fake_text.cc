// Hashing instead of a model.
#include "fakes/fake_text.h"

#include <algorithm>
#include <bit>

namespace ovenbird {
namespace {

/// Every bit of the result depends on every bit of `number` (the finalizer of MurmurHash3).
uint64_t mix(uint64_t number) {
  number = (number ^ (number >> 33)) * 0xff51'afd7'ed55'8ccd;
  number = (number ^ (number >> 33)) * 0xc4ce'b9fe'1a85'ec53;
  return number ^ (number >> 33);
}

}  // namespace

uint64_t fake_link(uint64_t before, int32_t token) {
  return mix(before * 31 + static_cast<uint32_t>(token) + 1);
}

int32_t fake_next_token(uint64_t link, const wire::Turn& turn, uint32_t vocabulary) {
  if (turn.sampling.temperature > 0) {
    link = mix(link ^ mix(turn.sampling.seed + 1));
    link = mix(link + std::bit_cast<uint32_t>(turn.sampling.temperature));
  }
  for (uint32_t i = 0; i < std::min(turn.bias_count, wire::kBiasesMax); ++i) {
    const wire::LogitBias& bias = turn.biases[i];
    link = mix(link + static_cast<uint32_t>(bias.id)) ^ std::bit_cast<uint32_t>(bias.value);
  }
  return static_cast<int32_t>(link % vocabulary);
}

void write_fake_logits(uint64_t link, std::span<float> logits) {
  for (size_t id = 0; id < logits.size(); ++id) {
    logits[id] = -1.0f - static_cast<float>((link + id) % 97);
  }
  logits[link % logits.size()] = 1;
}

std::vector<int32_t> fake_conversation(std::vector<int32_t> tokens, const wire::Turn& turn,
                                       uint32_t vocabulary) {
  uint64_t link = kFakeBeginning;
  for (const int32_t token : tokens) link = fake_link(link, token);
  const auto ends = std::span(turn.end_ids).first(turn.end_id_count);
  for (uint32_t said = 0; said < turn.answer_tokens_max; ++said) {
    const int32_t token = fake_next_token(link, turn, vocabulary);
    tokens.push_back(token);
    link = fake_link(link, token);
    if (std::find(ends.begin(), ends.end(), token) != ends.end()) break;
  }
  return tokens;
}

}  // namespace ovenbird
