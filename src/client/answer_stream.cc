// Tokens are held until the text up to their end has passed.
#include "client/answer_stream.h"

#include <utility>

namespace ovenbird::client {

Result<AnswerStream> AnswerStream::create(How how) {
  if (!how.tokenizer && !how.stops.empty()) {
    return fail(Code::kNotFound,
                "generate: stop strings need text, and the bundle has no tokenizer");
  }
  Result<StopStrings> stops = StopStrings::create(std::move(how.stops));
  if (!stops) return fail_in("generate", stops.error());
  AnswerStream stream(*std::move(stops));
  if (how.tokenizer) {
    stream.decoder_.emplace(*how.tokenizer, SpecialTokens::kHidden, how.position);
  }
  return stream;
}

void AnswerStream::add(std::span<const int32_t> tokens) {
  for (const int32_t token : tokens) {
    if (stopped_by_) return;
    add(token);
  }
}

void AnswerStream::add(int32_t token) {
  if (!decoder_) {
    out_.tokens.push_back(token);
    return;
  }
  const std::string piece = decoder_->feed(token);
  decoded_bytes_ += piece.size();
  held_.push_back({.token = token, .text_end = std::nullopt});
  if (decoder_->held_bytes() == 0) {
    for (Held& held : held_) held.text_end = held.text_end.value_or(decoded_bytes_);
  }
  pass(piece);
}

void AnswerStream::pass(const std::string& piece) {
  const StopStrings::Passed passed = stops_.feed(piece);
  out_.text += passed.text;
  passed_bytes_ += passed.text.size();
  stopped_by_ = passed.stopped_by;
  let_go();
  if (stopped_by_) held_.clear();
}

void AnswerStream::let_go() {
  while (!held_.empty() && held_.front().text_end && *held_.front().text_end <= passed_bytes_) {
    out_.tokens.push_back(held_.front().token);
    held_.pop_front();
  }
}

void AnswerStream::finish() {
  if (!decoder_ || stopped_by_) return;
  pass(decoder_->finish());
  if (stopped_by_) return;
  out_.text += stops_.finish();
  for (const Held& held : held_) out_.tokens.push_back(held.token);
  held_.clear();
}

AnswerStream::Taken AnswerStream::take() { return std::exchange(out_, {}); }

}  // namespace ovenbird::client
