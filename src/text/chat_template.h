// Stage text: a conversation to the text, and the tokens, that the model was trained to read.
#pragma once

#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/tokenizer.h"

namespace ovenbird {

/// What a template is rendered with; the names are those of Hugging Face's apply_chat_template.
struct ChatInput {
  /// [{"role": ..., "content": ...}, ...]. All text in it counts as written by users, except a role
  /// that is one of the usual words (system, user, assistant, tool, ...).
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  nlohmann::ordered_json tools;       // null = none; counts as written by users
  bool add_generation_prompt = true;  // end with the beginning of the assistant's turn
  std::string bos_token, eos_token;
  /// More variables by name, such as {"enable_thinking": false}; an object or null. Counts as the
  /// program's own text.
  nlohmann::ordered_json variables;
  std::optional<std::time_t> now;  // for strftime_now; absent = the clock
};

struct RenderedChat {
  std::string text;
  std::vector<TextRange> user_text;  // ascending, apart from each other: what users wrote
};

/// A Jinja template, checked but kept as text. Immutable, may be used from many threads at once.
/// A rendering runs on a thread of its own, limited in steps, time (limits::kTemplateTimeMax),
/// memory, stack and output. The limits hold at loops, calls, filters, assignments and allocations;
/// a single operation on values that fit into the memory limit is not interrupted.
class ChatTemplate {
 public:
  /// Errors: kCorrupt, not a template; kUnsupported, it is too large.
  static Result<ChatTemplate> compile(std::string source);

  /// Errors: kInvalidArgument, the template itself refuses the conversation (raise_exception);
  /// kCorrupt, it does what cannot be done, like calling what is no function; kUnsupported, it
  /// needs what the engine lacks, or more than the limits; kIo, no thread.
  Result<RenderedChat> render(const ChatInput& input) const;

  const std::string& source() const { return source_; }

 private:
  explicit ChatTemplate(std::string source) : source_(std::move(source)) {}
  std::string source_;
};

/// The tokens of a conversation: special tokens count only where the template wrote them, never
/// where users did. bos_token and eos_token of `input` are taken from the tokenizer. Nothing is put
/// around the text: templates write the begin token themselves.
/// Errors: those of render() and Tokenizer::encode().
Result<std::vector<int32_t>> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                         ChatInput input);

}  // namespace ovenbird
