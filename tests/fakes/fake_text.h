// What the fake worker says: a chain of hashes, so that one token lost, repeated or mixed up
// changes all that is said after it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "wire/record.h"

namespace ovenbird {

/// What is before the first token.
inline constexpr uint64_t kFakeBeginning = 0x0b3eb17d;

/// The chain behind one more token. The fake keeps one of these in each row of a slot.
uint64_t fake_link(uint64_t before, int32_t token);

/// What is said behind a chain: greedy without temperature, else another text for each seed. Biases
/// change it too.
int32_t fake_next_token(uint64_t link, const wire::Turn& turn, uint32_t vocabulary);

/// The logits behind a chain, [vocabulary]: the greedy choice has the largest.
void write_fake_logits(uint64_t link, std::span<float> logits);

/// The conversation after a turn that nothing stops early: `tokens` and the answer.
std::vector<int32_t> fake_conversation(std::vector<int32_t> tokens, const wire::Turn& turn,
                                       uint32_t vocabulary);

}  // namespace ovenbird
