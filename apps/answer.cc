// One answer, piece by piece.
#include "answer.h"

#include <chrono>
#include <optional>
#include <utility>

#include "engine_path.h"
#include "exit_status.h"
#include "interrupt.h"
#include "text/stop_strings.h"

namespace ovenbird {
namespace {

constexpr std::chrono::milliseconds kLook{50};  // how soon Ctrl-C is noticed while nothing is said

/// From tokens to the text that may be shown.
class Shown {
 public:
  Shown(const AnswerJob& job, StopStrings stops) : stops_(std::move(stops)), on_text_(job.on_text) {
    if (job.tokenizer) decoder_.emplace(*job.tokenizer, SpecialTokens::kHidden, job.position);
  }

  /// Whether a stop string has come.
  bool add(int32_t id) { return decoder_ && pass(decoder_->feed(id)); }

  void finish() {
    if (!decoder_ || stopped_ || pass(decoder_->finish())) return;
    show(stops_.finish());
  }

  std::string take_text() { return std::move(text_); }

 private:
  bool pass(const std::string& piece) {
    const StopStrings::Passed passed = stops_.feed(piece);
    show(passed.text);
    stopped_ = passed.stopped_by.has_value();
    return stopped_;
  }

  void show(std::string_view text) {
    if (text.empty()) return;
    text_ += text;
    if (on_text_) on_text_(text);
  }

  StopStrings stops_;
  std::optional<StreamDecoder> decoder_;
  std::function<void(std::string_view)> on_text_;
  std::string text_;
  bool stopped_ = false;
};

GenerateOptions options_for(const AnswerChoice& choice) {
  const SamplingOptions& sampling = choice.sampling;
  GenerateOptions options{.tokens_max = choice.max_tokens,
                          .temperature = sampling.temperature,
                          .top_k = sampling.top_k,
                          .top_p = sampling.top_p,
                          .min_p = sampling.min_p,
                          .repetition_penalty = sampling.repetition_penalty,
                          .presence_penalty = sampling.presence_penalty,
                          .frequency_penalty = sampling.frequency_penalty,
                          .seed = sampling.seed,
                          .drafts = choice.drafts.value_or(true)};
  for (const auto& [id, bias] : sampling.logit_bias) options.logit_bias.push_back({id, bias});
  return options;
}

const char* name_of_end(FinishReason finish) {
  if (finish == FinishReason::kEnd) return "stop";
  return finish == FinishReason::kCancelled ? "interrupted" : "length";
}

/// Takes what is said until the turn is over. Errors leave `answer` and `shown` as far as it came.
Status listen(const AnswerJob& job, Shown& shown, ShownAnswer& answer) {
  bool is_cancelled = false;
  bool has_stopped = false;
  while (true) {
    if (is_interrupted() && !std::exchange(is_cancelled, true)) {
      if (Status asked = job.session.cancel(); !asked) return asked;
    }
    const Result<Piece> piece = job.session.next_within(kLook);
    if (!piece) return Failure{piece.error()};
    for (const int32_t id : piece->tokens) {
      if (has_stopped) break;  // said while we were asking for an end
      answer.ids.push_back(id);
      has_stopped = shown.add(id);
    }
    if (has_stopped && !std::exchange(is_cancelled, true)) {
      if (Status asked = job.session.cancel(); !asked) return asked;
    }
    if (!piece->is_over) continue;
    answer.finish = has_stopped ? "stop" : name_of_end(piece->finish);
    return ok();
  }
}

}  // namespace

Result<ShownAnswer> show_answer(const AnswerJob& job) {
  if (!job.tokenizer && !job.choice.stop.empty()) {
    return fail(Code::kInvalidArgument, "--stop needs text, and there is no tokenizer");
  }
  Result<StopStrings> stops = StopStrings::create(job.choice.stop);
  if (!stops) return fail_in("--stop", stops.error());
  Shown shown(job, *std::move(stops));
  if (Status set = job.session.set_conversation(job.prompt); !set) return Failure{set.error()};
  if (Status begun = job.session.generate(options_for(job.choice)); !begun) {
    return Failure{begun.error()};
  }
  ShownAnswer answer;
  const Status said = listen(job, shown, answer);
  shown.finish();
  if (!said) return Failure{said.error()};
  answer.text = shown.take_text();
  const Result<ovenbird_answer> counts = job.session.last_answer();
  if (!counts) return Failure{counts.error()};
  answer.counts = *counts;
  return answer;
}

Result<Client> start_client(const RunChoice& where, const AnswerChoice& answer) {
  StartOptions options{.engine = engine_path().string(),
                       .device = where.device == "auto" ? "" : where.device,
                       .plan = where.plan.value_or(""),
                       .recipe = where.recipe.value_or(""),
                       .fallback = where.fallback,
                       .exact = where.exact,
                       .threads = where.threads};
  // Drafts that are asked for need a graph that verifies them.
  if (answer.drafts == true && options.recipe.empty()) options.recipe = "fast";
  options.on_note = [](void*, const char* line) { note(line); };
  return Client::start(where.bundle, options);
}

}  // namespace ovenbird
