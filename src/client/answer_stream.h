// An answer on its way to who asked: text that is final, and the tokens that belong to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/stop_strings.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace ovenbird::client {

/// Text comes out in whole characters and is never taken back; a token comes out once all of its
/// text has. So when a stop string is found, what has come out is the answer: neither text nor
/// tokens of the stop string, and no token of which a part belongs to it.
class AnswerStream {
 public:
  struct How {
    const Tokenizer* tokenizer = nullptr;  // must outlive it; null: tokens without text
    std::vector<std::string> stops;
    StreamDecoder::Position position = StreamDecoder::Position::kAfterOtherText;
  };

  /// Errors: those of StopStrings::create; kNotFound (stop strings without a tokenizer).
  static Result<AnswerStream> create(How how);

  /// After a stop string, tokens are passed over.
  void add(std::span<const int32_t> tokens);

  /// Nothing follows: what was held back comes out.
  void finish();

  std::optional<size_t> stopped_by() const { return stopped_by_; }  // which stop string

  /// What has come out since the last call.
  struct Taken {
    std::string text;
    std::vector<int32_t> tokens;
  };
  Taken take();

 private:
  struct Held {
    int32_t token;
    std::optional<size_t> text_end;  // bytes of the answer's text up to its end; none: in the
                                     // middle of a character
  };

  explicit AnswerStream(StopStrings stops) : stops_(std::move(stops)) {}
  void add(int32_t token);
  void pass(const std::string& piece);
  void let_go();

  StopStrings stops_;
  std::optional<StreamDecoder> decoder_;
  std::deque<Held> held_;
  size_t decoded_bytes_ = 0;
  size_t passed_bytes_ = 0;
  std::optional<size_t> stopped_by_;
  Taken out_;
};

}  // namespace ovenbird::client
