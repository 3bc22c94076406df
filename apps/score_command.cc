// The score command: how likely a model finds a text.
#include "score_command.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "interrupt.h"
#include "open_model.h"
#include "open_tokenizer.h"
#include "prompt_ids.h"
#include "session/score.h"

namespace ovenbird {
namespace {

Result<std::vector<int32_t>> ids_of_file(const ScoreCommand& command, const Bundle& bundle) {
  const Result<Tokenizer> tokenizer = open_tokenizer(bundle, std::nullopt);
  if (!tokenizer) return Failure{tokenizer.error()};
  const Result<MappedFile> file = MappedFile::open(*command.text);
  if (!file) return fail_in("--text", file.error());
  const std::string text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  const Result<Prompt> prompt = raw_prompt(*tokenizer, text, SpecialText::kIsText);
  if (!prompt) return fail_in("--text", prompt.error());
  return prompt->ids;
}

Result<std::vector<int32_t>> ids_to_score(const ScoreCommand& command, const Bundle& bundle) {
  Result<std::vector<int32_t>> ids = command.ids ? *command.ids : ids_of_file(command, bundle);
  if (ids && command.max_tokens && ids->size() > *command.max_tokens) {
    ids->resize(*command.max_tokens);
  }
  return ids;
}

double perplexity(const std::vector<double>& logprobs) {
  const double sum = std::accumulate(logprobs.begin(), logprobs.end(), 0.0);
  return std::exp(-sum / static_cast<double>(logprobs.size()));
}

void print_json(const Model& model, const std::vector<int32_t>& ids,
                const std::vector<double>& logprobs) {
  nlohmann::ordered_json json{{"ids", ids},
                              {"logprobs", {nullptr}},
                              {"perplexity", perplexity(logprobs)},
                              {"device", model.device()},
                              {"plan", model.plan_name}};
  for (const double logprob : logprobs) json["logprobs"].push_back(logprob);
  std::puts(json.dump().c_str());
}

}  // namespace

ExitStatus score_text(const ScoreCommand& command) {
  exit_on_interrupt();
  Result<Bundle> bundle = Bundle::open(command.where.bundle);
  if (!bundle) return report(bundle.error());
  const Result<std::vector<int32_t>> ids = ids_to_score(command, *bundle);
  if (!ids) return report(ids.error());
  const Result<Model> model = open_model(*std::move(bundle), command.where, Purpose::kScore);
  if (!model) return report(model.error());
  const Result<std::vector<double>> logprobs =
      score(*model->plan, *ids, model->vocabulary(), [] { return true; });
  if (!logprobs) return report(logprobs.error());
  if (command.json) {
    print_json(*model, *ids, *logprobs);
  } else {
    std::printf("perplexity %.4f over %zu tokens (%s, plan %s)\n", perplexity(*logprobs),
                logprobs->size(), model->device().c_str(), model->plan_name.c_str());
  }
  return finish_output();
}

}  // namespace ovenbird
