// What a user wrote, as the tokens that the model is to read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/chat_template.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace ovenbird {

struct Prompt {
  std::vector<int32_t> ids;
  StreamDecoder::Position answer_position;  // whether the answer begins a text or goes on with one
};

/// The prompt as the user's turn of a chat. Errors: those of ChatTemplate and Tokenizer.
Result<Prompt> chat_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat,
                           const std::optional<std::string>& system, const std::string& text);

/// The prompt as it is, to be continued. Errors: those of Tokenizer.
Result<Prompt> raw_prompt(const Tokenizer& tokenizer, const std::string& text, SpecialText special);

}  // namespace ovenbird
