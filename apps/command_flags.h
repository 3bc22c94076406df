// Flags that several commands share, as CLI11 wants to hear them. CLI11's exceptions may pass
// through here: command_line.cc catches them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command_line.h"

namespace ovenbird {

/// A flag whose value is one of a few words; the help shows them as "a|b|c".
template <typename Value>
struct Words {
  std::vector<std::pair<std::string, Value>> entries;

  std::string listed() const {
    std::string text;
    for (const auto& [word, value] : entries) text += (text.empty() ? "" : "|") + word;
    return text;
  }
};

template <typename Value, typename Target>
CLI::Option* add_words(CLI::App& app, const std::string& flag, Target& target, Words<Value> words,
                       const std::string& help) {
  const auto take = [flag, words, &target](const std::string& text) {
    for (const auto& [word, value] : words.entries) {
      if (word != text) continue;
      target = value;
      return;
    }
    throw CLI::ValidationError(flag, "\"" + text + "\"; it may be " + words.listed());
  };
  return app.add_option_function<std::string>(flag, take, help)->option_text(words.listed());
}

/// A text that may be given by place or by `flag`, but not twice.
void add_name(CLI::App& app, const std::string& place, const std::string& place_help,
              const std::string& flag, std::string& name);

/// Token ids: "1,2,3", spaces allowed.
CLI::Option* add_ids(CLI::App& app, std::optional<std::vector<int32_t>>& ids,
                     const std::string& help);

/// BUNDLE (and --model_xml), --plan, --device, --no-fallback, --recipe, --threads.
void add_run_choice(CLI::App& app, RunChoice& choice);

/// The sampling flags, --stop, --max-tokens, --draft.
void add_answer_choice(CLI::App& app, AnswerChoice& choice);

void add_json(CLI::App& app, bool& json, const std::string& help);

}  // namespace ovenbird
