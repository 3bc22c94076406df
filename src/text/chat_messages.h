// A chat out of plain strings: for rooms that do not see JSON.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

class ChatTemplate;
class Tokenizer;

struct ChatMessage {
  std::string_view role;
  std::string_view content;
};

/// Empty texts stand for nothing.
struct ChatTexts {
  std::string_view messages_json;  // a list of messages, which go before the others
  std::span<const ChatMessage> messages;
  std::string_view tools_json;      // a list
  std::string_view variables_json;  // an object
  bool add_generation_prompt = true;
};

/// The tokens of a chat, as encode_chat() gives them. Errors: kInvalidArgument (a JSON text is
/// none, or of another kind; a string is no UTF-8), those of encode_chat().
Result<std::vector<int32_t>> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                         const ChatTexts& texts);

}  // namespace ovenbird
