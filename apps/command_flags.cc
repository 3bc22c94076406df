// Flags that several commands share.
#include "command_flags.h"

#include <charconv>
#include <limits>
#include <string_view>

#include "base/limits.h"

namespace ovenbird {
namespace {

template <typename Number>
std::optional<Number> whole_number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<int32_t> parse_ids(const std::string& text) {
  std::vector<int32_t> ids;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const auto id = whole_number<int32_t>(std::string_view(text).substr(begin, end - begin));
    if (!id || *id < 0) {
      throw CLI::ValidationError("--ids", "\"" + text.substr(begin, end - begin) +
                                              "\" is no token id; write whole numbers: 1,2,3");
    }
    ids.push_back(*id);
    begin = end + 1;
  }
  return ids;
}

void take_bias(const std::string& text, std::map<int32_t, float>& biases) {
  const size_t equals = text.find('=');
  const auto id = whole_number<int32_t>(std::string_view(text).substr(0, equals));
  float bias = 0;
  const bool fits = equals != std::string::npos && id && *id >= 0 &&
                    CLI::detail::lexical_cast(text.substr(equals + 1), bias);
  if (!fits) {
    throw CLI::ValidationError("--logit-bias", "\"" + text + "\"; write ID=VALUE, as in 42=-5");
  }
  biases[*id] = bias;
}

void add_sampling(CLI::App& app, SamplingOptions& sampling) {
  const std::string group = "How each token is chosen";
  app.add_option("--temperature", sampling.temperature,
                 "0 = always the best token (default); 0.7 is usual; higher is wilder")
      ->option_text("T")
      ->group(group);
  app.add_option("--top-k", sampling.top_k, "Choose among the K best; 0 = no limit (default)")
      ->option_text("K")
      ->group(group);
  app.add_option("--top-p", sampling.top_p,
                 "Choose among the best that together have probability P (default 1)")
      ->option_text("P")
      ->group(group);
  app.add_option("--min-p", sampling.min_p,
                 "Drop tokens below P times the best one's probability (default 0)")
      ->option_text("P")
      ->group(group);
  app.add_option("--repetition-penalty", sampling.repetition_penalty,
                 "Above 1: less of what stands in prompt or answer (default 1)")
      ->option_text("X")
      ->group(group);
  app.add_option("--presence-penalty", sampling.presence_penalty,
                 "Above 0: less of what the answer has said at all (default 0)")
      ->option_text("X")
      ->group(group);
  app.add_option("--frequency-penalty", sampling.frequency_penalty,
                 "Above 0: less of what the answer has said often (default 0)")
      ->option_text("X")
      ->group(group);
  app.add_option_function<std::vector<std::string>>(
         "--logit-bias",
         [&sampling](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) take_bias(text, sampling.logit_bias);
         },
         "Add VALUE to the logit of token ID; may be given many times")
      ->option_text("ID=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option_function<std::string>(
         "--seed",
         [&sampling](const std::string& text) {
           const auto seed = whole_number<uint64_t>(text);
           if (!seed) throw CLI::ValidationError("--seed", "\"" + text + "\" is no whole number");
           sampling.seed = *seed;
         },
         "Same seed, same choices (default 0); matters with a temperature")
      ->option_text("S")
      ->group(group);
}

}  // namespace

void add_name(CLI::App& app, const std::string& place, const std::string& place_help,
              const std::string& flag, std::string& name) {
  const auto take = [place, flag, &name](const std::string& text) {
    if (!name.empty()) {
      throw CLI::ValidationError(place, "given twice; name it here or with " + flag);
    }
    name = text;
  };
  app.add_option_function<std::string>(place, take, place_help)->option_text(" ");
  app.add_option_function<std::string>(flag, take, "The same, as a flag")->option_text(place);
}

CLI::Option* add_ids(CLI::App& app, std::optional<std::vector<int32_t>>& ids,
                     const std::string& help) {
  return app
      .add_option_function<std::string>(
          "--ids", [&ids](const std::string& text) { ids = parse_ids(text); }, help)
      ->option_text("1,2,3");
}

void add_run_choice(CLI::App& app, RunChoice& choice) {
  add_name(app, "BUNDLE", "A directory that `ovenbird bake` made", "--model_xml", choice.bundle);

  const std::string group = "Where it runs";
  add_words<std::string>(app, "--plan", choice.plan,
                         {{{"window", "window"}, {"cached", "cached"}, {"dynamic", "dynamic"}}},
                         "Which graphs it runs on (default: cached, if the bundle has it)")
      ->group(group);
  add_words<std::string>(app, "--device", choice.device,
                         {{{"auto", "auto"}, {"NPU", "NPU"}, {"GPU", "GPU"}, {"CPU", "CPU"}}},
                         "auto (default) = the first that works: NPU, GPU, CPU")
      ->group(group);
  app.add_flag_callback(
         "--no-fallback", [&choice] { choice.fallback = false; },
         "This device or none: if it cannot be used, end")
      ->group(group);
  add_words<std::string>(app, "--recipe", choice.recipe,
                         {{{"lean", "lean"}, {"balanced", "balanced"}, {"fast", "fast"}}},
                         "How many graphs are compiled: less memory or more speed")
      ->group(group);
  app.add_option("--threads", choice.threads, "Threads on the CPU (default: one per core)")
      ->option_text("N")
      ->check(CLI::Range(1, 1024).description(""))
      ->group(group);
  app.add_flag("--exact", choice.exact,
               "On the CPU, do not round a matmul's inputs to 8 bit: slower;\n"
               "without effect on f16 and f32 bundles")
      ->group(group);
}

void add_answer_choice(CLI::App& app, AnswerChoice& choice) {
  const std::string group = "The answer";
  app.add_option("--max-tokens", choice.max_tokens, "Ends the answer at the latest (default 512)")
      ->option_text("N")
      ->check(CLI::Range(1u, std::numeric_limits<uint32_t>::max() / 2).description(""))
      ->group(group);
  app.add_option("--stop", choice.stop, "Ends the answer before STRING; may be given many times")
      ->option_text("STRING")
      ->allow_extra_args(false)
      ->group(group);
  add_words<bool>(app, "--draft", choice.drafts, {{{"on", true}, {"off", false}}},
                  "Guess tokens from the text so far and verify them: changes the\n"
                  "speed, not the words (default: where the recipe can verify;\n"
                  "on also means recipe fast, if none is named)")
      ->group(group);
  add_sampling(app, choice.sampling);
}

void add_json(CLI::App& app, bool& json, const std::string& help) {
  app.add_flag("--json", json, help);
}

}  // namespace ovenbird
