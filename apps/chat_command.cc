// The chat command: a conversation in the terminal.
#include "chat_command.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "answer.h"
#include "base/limits.h"
#include "interrupt.h"
#include "open_tokenizer.h"
#include "text/chat_template.h"

namespace ovenbird {
namespace {

constexpr uint32_t kTalkTokens = 1 << 18;  // of one talk: more than a day of it

/// The conversation so far, and how to go on with it.
class Conversation {
 public:
  Conversation(const ChatCommand& command, const Tokenizer& tokenizer, const ChatTemplate& chat,
               Session& session)
      : command_(command), tokenizer_(tokenizer), chat_(chat), session_(session) {
    begin();
  }

  /// Forgets everything but the system message.
  void begin() {
    messages_ = nlohmann::ordered_json::array();
    if (command_.system) add("system", *command_.system);
  }

  /// Streams the answer to `text`. After an error the turn is forgotten.
  Status take_turn(const std::string& text) {
    add("user", text);
    const Result<ShownAnswer> said = speak();
    if (!said) {
      messages_.erase(messages_.size() - 1);
      return Failure{said.error()};
    }
    add("assistant", said->text);
    if (std::string_view(said->finish) == "length") {
      note("the answer was cut at " + std::to_string(command_.answer.max_tokens) +
           " tokens; --max-tokens changes that");
    }
    return ok();
  }

 private:
  void add(const char* role, const std::string& content) {
    messages_.push_back({{"role", role}, {"content", content}});
  }

  Result<ShownAnswer> speak() {
    ChatInput input;
    input.messages = messages_;
    const Result<std::vector<int32_t>> ids = encode_chat(tokenizer_, chat_, std::move(input));
    if (!ids) return fail_in("chat template", ids.error());
    watch_for_interrupt();
    Result<ShownAnswer> said = show_answer({.session = session_,
                                            .tokenizer = &tokenizer_,
                                            .prompt = *ids,
                                            .choice = command_.answer,
                                            .on_text = [](std::string_view text) {
                                              std::fwrite(text.data(), 1, text.size(), stdout);
                                              std::fflush(stdout);
                                            }});
    exit_on_interrupt();
    std::puts("");
    std::fflush(stdout);
    return said;
  }

  const ChatCommand& command_;
  const Tokenizer& tokenizer_;
  const ChatTemplate& chat_;
  Session& session_;
  nlohmann::ordered_json messages_;
};

/// The next line of standard input; on a terminal after "> ", on standard error.
bool read_line(std::string& line) {
  if (::isatty(STDIN_FILENO)) {
    std::fputs("> ", stderr);
    std::fflush(stderr);
  }
  return static_cast<bool>(std::getline(std::cin, line));
}

ExitStatus talk(Conversation conversation) {
  std::string line;
  while (read_line(line)) {
    if (line == "/exit") break;
    if (line == "/new") {
      conversation.begin();
      continue;
    }
    if (line.empty()) continue;
    if (const Status turn = conversation.take_turn(line); !turn) return report(turn.error());
  }
  return finish_output();
}

}  // namespace

ExitStatus chat(const ChatCommand& command) {
  exit_on_interrupt();
  const Status valid = command.answer.sampling.validate(limits::kVocabularyMax);
  if (!valid) return report(valid.error());
  Result<Bundle> bundle = Bundle::open(command.where.bundle);
  if (!bundle) return report(bundle.error());
  const Result<Tokenizer> tokenizer = open_tokenizer(*bundle, std::nullopt);
  if (!tokenizer) return report(tokenizer.error());
  if (tokenizer->spec().chat_template.empty()) {
    return report({Code::kUnsupported, "chat " + bundle->directory().string() +
                                           ": the model has no chat template; use `ovenbird run`"});
  }
  const Result<ChatTemplate> chat = ChatTemplate::compile(tokenizer->spec().chat_template);
  if (!chat) return report({chat.error().code, "chat template: " + chat.error().message});
  Result<Client> client = start_client(command.where, command.answer);
  if (!client) return report(client.error());
  Result<Session> session = client->open({.tokens_max = kTalkTokens});
  if (!session) return report(session.error());
  return talk(Conversation(command, *tokenizer, *chat, *session));
}

}  // namespace ovenbird
