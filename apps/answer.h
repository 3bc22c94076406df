// One answer as it is shown: when it ends, what of it is text, how fast it came.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "command_line.h"
#include "ovenbird/client.hpp"
#include "ovenbird/result.hpp"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace ovenbird {

struct AnswerJob {
  Session& session;
  const Tokenizer* tokenizer = nullptr;  // none: ids only, no text
  std::span<const int32_t> prompt;       // the whole conversation
  const AnswerChoice& choice;
  StreamDecoder::Position position = StreamDecoder::Position::kStartOfText;
  std::function<void(std::string_view)> on_text;  // gets the text as it becomes final
};

struct ShownAnswer {
  std::vector<int32_t> ids;  // all that the model said, the end token included
  std::string text;          // without end token and stop string
  const char* finish = "";   // "stop", "length" or "interrupted"
  ovenbird_answer counts{};  // of client.hpp
};

/// Computes an answer until it ends or Ctrl-C comes (watch_for_interrupt() must have been called).
/// Errors: kInvalidArgument (stop strings without a tokenizer, or too many; the prompt), those of
/// the session. What had been said by then has gone to on_text.
Result<ShownAnswer> show_answer(const AnswerJob& job);

/// A supervisor in this process, for the bundle. Errors: those of Client::start().
Result<Client> start_client(const RunChoice& where, const AnswerChoice& answer);

}  // namespace ovenbird
