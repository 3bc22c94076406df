// What a user wrote, as the tokens that the model is to read.
#include "prompt_ids.h"

#include <utility>

namespace ovenbird {

Result<Prompt> chat_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat,
                           const std::optional<std::string>& system, const std::string& text) {
  ChatInput input;
  if (system) input.messages.push_back({{"role", "system"}, {"content", *system}});
  input.messages.push_back({{"role", "user"}, {"content", text}});
  Result<std::vector<int32_t>> ids = encode_chat(tokenizer, chat, std::move(input));
  if (!ids) return fail_in("chat template", ids.error());
  return Prompt{*std::move(ids), StreamDecoder::Position::kStartOfText};
}

Result<Prompt> raw_prompt(const Tokenizer& tokenizer, const std::string& text,
                          SpecialText special) {
  Result<std::vector<int32_t>> encoded = tokenizer.encode(text, special);
  if (!encoded) return fail_in("prompt", encoded.error());
  std::vector<int32_t> ids = tokenizer.prefix_ids();
  ids.insert(ids.end(), encoded->begin(), encoded->end());
  return Prompt{std::move(ids), text.empty() ? StreamDecoder::Position::kStartOfText
                                             : StreamDecoder::Position::kAfterOtherText};
}

}  // namespace ovenbird
