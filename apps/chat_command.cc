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
#include "open_model.h"
#include "text/chat_template.h"

namespace ovenbird {
namespace {

/// The conversation so far, and how to go on with it.
class Conversation {
 public:
  Conversation(const ChatCommand& command, const Model& model, const Tokenizer& tokenizer,
               const ChatTemplate& chat, Session& session)
      : command_(command),
        model_(model),
        tokenizer_(tokenizer),
        chat_(chat),
        session_(session),
        end_ids_(end_ids(model.bundle(), &tokenizer)) {
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
    const Result<Answer> said = speak();
    if (!said) {
      messages_.erase(messages_.size() - 1);
      return Failure{said.error()};
    }
    add("assistant", said->text);
    if (said->finish == Finish::kLength) {
      note("the answer was cut at " + std::to_string(command_.answer.max_tokens) +
           " tokens; --max-tokens changes that");
    }
    return ok();
  }

 private:
  void add(const char* role, const std::string& content) {
    messages_.push_back({{"role", role}, {"content", content}});
  }

  Result<Answer> speak() {
    ChatInput input;
    input.messages = messages_;
    const Result<std::vector<int32_t>> ids = encode_chat(tokenizer_, chat_, std::move(input));
    if (!ids) return fail_in("chat template", ids.error());
    watch_for_interrupt();
    Result<Answer> said = answer({.session = session_,
                                  .engine = *model_.engine,
                                  .tokenizer = &tokenizer_,
                                  .prompt = *ids,
                                  .choice = command_.answer,
                                  .end_ids = end_ids_,
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
  const Model& model_;
  const Tokenizer& tokenizer_;
  const ChatTemplate& chat_;
  Session& session_;
  const std::vector<int32_t> end_ids_;
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
  Result<Model> model = open_model(
      *std::move(bundle), where_to_answer(command.where, command.answer), Purpose::kAnswer);
  if (!model) return report(model.error());
  Result<Session> session = open_session(*model, command.answer);
  if (!session) return report(session.error());
  return talk(Conversation(command, *model, *tokenizer, *chat, *session));
}

}  // namespace ovenbird
