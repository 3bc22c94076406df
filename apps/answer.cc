// One answer, token by token.
#include "answer.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "interrupt.h"
#include "text/stop_strings.h"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

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

/// Says tokens until something ends the answer. Errors leave `answer` and `shown` as far as it
/// came.
Status say(const AnswerJob& job, Shown& shown, Answer& answer) {
  const auto ends = [&](int32_t id) {
    return std::find(job.end_ids.begin(), job.end_ids.end(), id) != job.end_ids.end();
  };
  const Clock::time_point begin = Clock::now();
  Clock::time_point first = begin;
  std::chrono::nanoseconds waited_before = job.engine.waited();
  if (Status done = job.session.prompt(job.prompt); !done) return done;
  while (answer.ids.size() < job.choice.max_tokens) {
    if (is_interrupted()) {
      answer.finish = Finish::kInterrupted;
      break;
    }
    const Result<int32_t> id = job.session.next();
    if (!id) return Failure{id.error()};
    if (answer.ids.empty()) {
      first = Clock::now();
      waited_before = job.engine.waited();
    }
    answer.ids.push_back(*id);
    if (ends(*id) || shown.add(*id)) {
      answer.finish = Finish::kStop;
      break;
    }
  }
  answer.first_token_ms = ms_between(begin, first);
  const Clock::time_point begin_of_rest = first + (job.engine.waited() - waited_before);
  const double rest_ms = ms_between(begin_of_rest, Clock::now());
  if (answer.ids.size() > 1 && rest_ms > 0) {
    answer.tokens_per_second = static_cast<double>(answer.ids.size() - 1) * 1000 / rest_ms;
  }
  return ok();
}

}  // namespace

const char* name_of(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kInterrupted:
      break;
  }
  return "interrupted";
}

Result<Answer> answer(const AnswerJob& job) {
  if (!job.tokenizer && !job.choice.stop.empty()) {
    return fail(Code::kInvalidArgument, "--stop needs text, and there is no tokenizer");
  }
  Result<StopStrings> stops = StopStrings::create(job.choice.stop);
  if (!stops) return fail_in("--stop", stops.error());
  Shown shown(job, *std::move(stops));
  Answer answer;
  const Status said = say(job, shown, answer);
  shown.finish();
  if (!said) return Failure{said.error()};
  answer.text = shown.take_text();
  return answer;
}

}  // namespace ovenbird
