// One answer, token by token: when it ends, what of it is text, how fast it came.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "command_line.h"
#include "engine/engine.h"
#include "ovenbird/result.hpp"
#include "session/session.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace ovenbird {

enum class Finish {
  kStop,         // the model ended, or a stop string came
  kLength,       // max_tokens
  kInterrupted,  // Ctrl-C
};

const char* name_of(Finish finish);  // "stop", "length", "interrupted"

struct AnswerJob {
  Session& session;
  const Engine& engine;                  // that the session's plan runs on
  const Tokenizer* tokenizer = nullptr;  // none: ids only, no text
  std::span<const int32_t> prompt;       // the whole conversation
  const AnswerChoice& choice;
  std::vector<int32_t> end_ids;
  StreamDecoder::Position position = StreamDecoder::Position::kStartOfText;
  std::function<void(std::string_view)> on_text;  // gets the text as it becomes final
};

struct Answer {
  std::vector<int32_t> ids;  // all that the model said, the end token included
  std::string text;          // without end token and stop string
  Finish finish = Finish::kLength;
  double first_token_ms = 0;  // from the tokens of the prompt to the first of the answer
  /// Of the tokens after the first, 0 if there is none; the time in which graphs were compiled for
  /// the first answer is left out.
  double tokens_per_second = 0;
};

/// Computes an answer until it ends or Ctrl-C comes (watch_for_interrupt() must have been called).
/// Errors: kInvalidArgument (stop strings without a tokenizer, or too many; the prompt), those of
/// Session. What had been said by then has gone to on_text.
Result<Answer> answer(const AnswerJob& job);

}  // namespace ovenbird
