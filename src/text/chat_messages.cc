// Strings to the template's input. Keys keep the order in which they were written.
#include "text/chat_messages.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/json.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace ovenbird {
namespace {

using Json = nlohmann::ordered_json;

struct Wanted {
  const char* name;
  Json::value_t kind;
  const char* kind_name;
};

/// Null for an empty text. Errors: kInvalidArgument.
Result<Json> parse(std::string_view text, const Wanted& wanted) {
  if (text.empty()) return Json();
  // The bounds are those of parse_json(), which knows no order; what it took is read once more.
  const Result<nlohmann::json> checked = parse_json(text, {.bytes_max = limits::kPromptBytesMax});
  if (!checked) {
    return fail(Code::kInvalidArgument, std::string(wanted.name) + ": " + checked.error().message);
  }
  if (checked->type() != wanted.kind) {
    return fail(Code::kInvalidArgument,
                std::string(wanted.name) + ": it is no JSON " + wanted.kind_name);
  }
  return Json::parse(text, nullptr, false);
}

}  // namespace

Result<std::vector<int32_t>> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                         const ChatTexts& texts) {
  Result<Json> messages =
      parse(texts.messages_json, {"messages_json", Json::value_t::array, "list"});
  if (!messages) return Failure{messages.error()};
  Result<Json> tools = parse(texts.tools_json, {"tools_json", Json::value_t::array, "list"});
  if (!tools) return Failure{tools.error()};
  Result<Json> variables =
      parse(texts.variables_json, {"variables_json", Json::value_t::object, "object"});
  if (!variables) return Failure{variables.error()};
  ChatInput input;
  if (!messages->is_null()) input.messages = *std::move(messages);
  for (const ChatMessage& message : texts.messages) {
    if (!is_utf8(message.role) || !is_utf8(message.content)) {
      return fail(Code::kInvalidArgument,
                  "chat: message " + std::to_string(input.messages.size()) + " is not valid UTF-8");
    }
    input.messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  input.tools = *std::move(tools);
  input.variables = *std::move(variables);
  input.add_generation_prompt = texts.add_generation_prompt;
  return encode_chat(tokenizer, chat, std::move(input));
}

}  // namespace ovenbird
