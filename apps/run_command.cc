// The run command: one prompt, one answer.
#include "run_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "answer.h"
#include "base/limits.h"
#include "interrupt.h"
#include "open_model.h"
#include "prompt_ids.h"

namespace ovenbird {
namespace {

/// Standard input to its end, without the last line's newline. Errors: kInvalidArgument (too long),
/// kIo.
Result<std::string> read_standard_input() {
  if (::isatty(STDIN_FILENO)) note("type the prompt, then Ctrl-D on an empty line");
  std::string text;
  char part[1 << 16];
  size_t bytes = 0;
  while ((bytes = std::fread(part, 1, sizeof part, stdin)) > 0) {
    text.append(part, bytes);
    if (text.size() > limits::kPromptBytesMax) {
      return fail(Code::kInvalidArgument, "read the prompt: standard input has more than " +
                                              std::to_string(limits::kPromptBytesMax) + " bytes");
    }
  }
  if (std::ferror(stdin)) {
    return fail(Code::kIo, std::string("read the prompt: standard input: ") + std::strerror(errno));
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<Prompt> prompt_of(const RunCommand& command, const Tokenizer& tokenizer) {
  Result<std::string> text = command.prompt ? *command.prompt : read_standard_input();
  if (!text) return Failure{text.error()};
  // Whoever says --raw writes the turns himself, and means the special tokens he writes.
  if (command.raw) return raw_prompt(tokenizer, *text, SpecialText::kIsToken);
  const std::string& source = tokenizer.spec().chat_template;
  if (source.empty()) {
    if (command.system) {
      return fail(Code::kInvalidArgument, "--system: the model has no chat template to put it in");
    }
    return raw_prompt(tokenizer, *text, SpecialText::kIsText);
  }
  const Result<ChatTemplate> chat = ChatTemplate::compile(source);
  if (!chat) return fail_in("chat template (--raw does without)", chat.error());
  return chat_prompt(tokenizer, *chat, command.system, *text);
}

void show(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_json(const Model& model, const Answer& answer, const SessionStats& stats) {
  const nlohmann::ordered_json json{{"text", answer.text},
                                    {"ids", answer.ids},
                                    {"finish_reason", name_of(answer.finish)},
                                    {"device", model.device()},
                                    {"plan", model.plan_name},
                                    {"recipe", model.recipe},
                                    {"ttft_ms", answer.first_token_ms},
                                    {"decode_tps", answer.tokens_per_second},
                                    {"prompt_tokens", stats.prompt_tokens},
                                    {"completion_tokens", answer.ids.size()},
                                    {"steps", stats.decode_steps},
                                    {"drafted", stats.drafted_tokens},
                                    {"accepted", stats.accepted_tokens},
                                    {"near_ties", stats.near_ties}};
  std::puts(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

ExitStatus status_of(const Answer& answer) {
  const ExitStatus written = finish_output();
  return answer.finish == Finish::kInterrupted ? kExitInterrupted : written;
}

/// Everything once model and prompt are there.
ExitStatus answer_prompt(const RunCommand& command, Model& model, const Tokenizer* tokenizer,
                         const Prompt& prompt) {
  Result<Session> session = open_session(model, command.answer);
  if (!session) return report(session.error());
  watch_for_interrupt();
  bool ends_line = true;
  const std::function<void(std::string_view)> stream = [&](std::string_view text) {
    show(text);
    ends_line = text.ends_with('\n');
  };
  const Result<Answer> said = answer({.session = *session,
                                      .engine = *model.engine,
                                      .tokenizer = tokenizer,
                                      .prompt = prompt.ids,
                                      .choice = command.answer,
                                      .end_ids = end_ids(model.bundle(), tokenizer),
                                      .position = prompt.answer_position,
                                      .on_text = command.json ? nullptr : stream});
  if (!ends_line) show("\n");
  if (!said) return report(said.error());
  if (command.json) {
    print_json(model, *said, session->stats());
  } else if (!tokenizer) {
    std::string listed;
    for (const int32_t id : said->ids) listed += (listed.empty() ? "" : ",") + std::to_string(id);
    std::puts(listed.c_str());
  }
  return status_of(*said);
}

}  // namespace

ExitStatus run(const RunCommand& command) {
  exit_on_interrupt();
  // What can be refused without the model is refused before it is loaded.
  const Status valid = command.answer.sampling.validate(limits::kVocabularyMax);
  if (!valid) return report(valid.error());
  Result<Bundle> bundle = Bundle::open(command.where.bundle);
  if (!bundle) return report(bundle.error());
  std::optional<Tokenizer> tokenizer;
  if (Result<Tokenizer> opened = open_tokenizer(*bundle, command.tokenizer); opened) {
    tokenizer.emplace(*std::move(opened));
  } else if (!command.ids || command.tokenizer) {
    return report(opened.error());
  }
  const Tokenizer* text = tokenizer ? &*tokenizer : nullptr;
  const Result<Prompt> prompt = command.ids
                                    ? Prompt{*command.ids, StreamDecoder::Position::kAfterOtherText}
                                    : prompt_of(command, *text);
  if (!prompt) return report(prompt.error());
  Result<Model> model = open_model(
      *std::move(bundle), where_to_answer(command.where, command.answer), Purpose::kAnswer);
  if (!model) return report(model.error());
  return answer_prompt(command, *model, text, *prompt);
}

}  // namespace ovenbird
