// What is sent to bring a record's tokens up to date, and to ask for a turn.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/connection.h"
#include "wire/client_protocol.h"

namespace ovenbird::client {

/// More tokens than this do not go into one message.
inline constexpr size_t kTokensOfLetter = 12'000;

/// Makes the record's tokens its first `keep`, and then `tokens`: any number of messages, one at
/// least.
std::vector<Letter> letters_to_feed(uint64_t session, size_t keep, std::span<const int32_t> tokens);

/// Of `ask`, everything is set but `keep`, `tokens` and the counts of end ids and biases.
struct TurnToAsk {
  wire::AskTurn ask;
  std::span<const int32_t> end_ids;
  std::span<const wire::LogitBias> biases;
};

/// The same, and begins a turn behind them.
std::vector<Letter> letters_to_ask(uint64_t session, size_t keep, std::span<const int32_t> tokens,
                                   const TurnToAsk& turn);

}  // namespace ovenbird::client
