// Long prompts go in pieces.
#include "client/turn_letters.h"

#include <cstddef>

namespace ovenbird::client {
namespace {

using wire::ClientMessage;

constexpr size_t kLongestTurn =
    sizeof(wire::MessageHeader) + sizeof(wire::AskTurn) + sizeof(int32_t) * wire::kEndIdsMax +
    sizeof(wire::LogitBias) * wire::kBiasesMax + sizeof(int32_t) * kTokensOfLetter;
static_assert(kLongestTurn <= wire::kMessageBytesMax);

template <typename Number>
void append(std::vector<std::byte>& tail, std::span<const Number> numbers) {
  const auto bytes = std::as_bytes(numbers);
  tail.insert(tail.end(), bytes.begin(), bytes.end());
}

Letter feed(uint64_t session, size_t keep, std::span<const int32_t> tokens) {
  Letter letter = Letter::of(ClientMessage::kFeed, session,
                             wire::Feed{.keep = static_cast<uint32_t>(keep),
                                        .tokens = static_cast<uint32_t>(tokens.size())});
  append(letter.tail, tokens);
  return letter;
}

/// Letters for all but the last kTokensOfLetter tokens, which stay in `tokens`.
std::vector<Letter> feed_most(uint64_t session, size_t& keep, std::span<const int32_t>& tokens) {
  std::vector<Letter> letters;
  while (tokens.size() > kTokensOfLetter) {
    letters.push_back(feed(session, keep, tokens.first(kTokensOfLetter)));
    tokens = tokens.subspan(kTokensOfLetter);
    keep += kTokensOfLetter;
  }
  return letters;
}

}  // namespace

std::vector<Letter> letters_to_feed(uint64_t session, size_t keep,
                                    std::span<const int32_t> tokens) {
  std::vector<Letter> letters = feed_most(session, keep, tokens);
  letters.push_back(feed(session, keep, tokens));
  return letters;
}

std::vector<Letter> letters_to_ask(uint64_t session, size_t keep, std::span<const int32_t> tokens,
                                   const TurnToAsk& turn) {
  std::vector<Letter> letters = feed_most(session, keep, tokens);
  wire::AskTurn ask = turn.ask;
  ask.keep = static_cast<uint32_t>(keep);
  ask.tokens = static_cast<uint32_t>(tokens.size());
  ask.end_ids = static_cast<uint32_t>(turn.end_ids.size());
  ask.biases = static_cast<uint32_t>(turn.biases.size());
  Letter letter = Letter::of(ClientMessage::kTurn, session, ask);
  append(letter.tail, turn.end_ids);
  append(letter.tail, turn.biases);
  append(letter.tail, tokens);
  letters.push_back(std::move(letter));
  return letters;
}

}  // namespace ovenbird::client
