// The run command: one prompt, one answer.
#include "run_command.h"

#include <unistd.h>

#include <algorithm>
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
#include "open_tokenizer.h"
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

/// Room for prompt and answer.
uint32_t tokens_for(const RunCommand& command, const Prompt& prompt) {
  const uint64_t wanted = prompt.ids.size() + uint64_t{command.answer.max_tokens};
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, limits::kSessionTokensMax));
}

/// Where and how it was computed.
struct Computed {
  std::string device;
  std::string plan;
  std::string recipe;
};

Result<Computed> how_it_was_computed(const Client& client) {
  const Result<ovenbird_facts> facts = client.facts();
  if (!facts) return Failure{facts.error()};
  const Result<ovenbird_statistics> statistics = client.statistics();
  if (!statistics) return Failure{statistics.error()};
  return Computed{.device = statistics->device, .plan = facts->plan, .recipe = statistics->recipe};
}

void print_json(const Computed& computed, const ShownAnswer& answer) {
  const ovenbird_answer& counts = answer.counts;
  const nlohmann::ordered_json json{{"text", answer.text},
                                    {"ids", answer.ids},
                                    {"finish_reason", answer.finish},
                                    {"device", computed.device},
                                    {"plan", computed.plan},
                                    {"recipe", computed.recipe},
                                    {"ttft_ms", counts.first_token_ms},
                                    {"decode_tps", counts.tokens_per_second},
                                    {"prompt_tokens", counts.prompt_tokens},
                                    {"completion_tokens", answer.ids.size()},
                                    {"steps", counts.decode_steps},
                                    {"drafted", counts.drafted_tokens},
                                    {"accepted", counts.accepted_tokens},
                                    {"near_ties", counts.near_ties}};
  std::puts(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

ExitStatus status_of(const ShownAnswer& answer) {
  const ExitStatus written = finish_output();
  return std::string_view(answer.finish) == "interrupted" ? kExitInterrupted : written;
}

/// Everything once the model is found and the prompt is there.
ExitStatus answer_prompt(const RunCommand& command, Client& client, const Tokenizer* tokenizer,
                         const Prompt& prompt) {
  Result<Session> session = client.open({.tokens_max = tokens_for(command, prompt)});
  if (!session) return report(session.error());
  watch_for_interrupt();
  bool ends_line = true;
  const std::function<void(std::string_view)> stream = [&](std::string_view text) {
    show(text);
    ends_line = text.ends_with('\n');
  };
  const Result<ShownAnswer> said = show_answer({.session = *session,
                                                .tokenizer = tokenizer,
                                                .prompt = prompt.ids,
                                                .choice = command.answer,
                                                .position = prompt.answer_position,
                                                .on_text = command.json ? nullptr : stream});
  if (!ends_line) show("\n");
  if (!said) return report(said.error());
  if (command.json) {
    const Result<Computed> computed = how_it_was_computed(client);
    if (!computed) return report(computed.error());
    print_json(*computed, *said);
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
  Result<Client> client = start_client(command.where, command.answer);
  if (!client) return report(client.error());
  return answer_prompt(command, *client, text, *prompt);
}

}  // namespace ovenbird
