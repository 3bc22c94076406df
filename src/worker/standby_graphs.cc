// A few tokens for nobody, and two plans that expect what others hold.
#include "worker/standby_graphs.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

namespace ovenbird {
namespace {

Status say_two_tokens(const WorkerModel& model, Plan& plan) {
  Result<Session> session = Session::create(plan, model.manifest.model.vocabulary, {});
  if (!session) return Failure{session.error()};
  // More than the graph for answers takes at once, so that the one for prompts runs too.
  const std::array<int32_t, 16> prompt{};
  if (Status read = session->prompt(prompt); !read) return read;
  for (int token = 0; token < 2; ++token) {
    const Result<int32_t> said = session->next();
    if (!said) return Failure{said.error()};
  }
  return ok();
}

}  // namespace

Result<StandbyGraphs> StandbyGraphs::create(const WorkerModel& model) {
  Result<std::unique_ptr<Plan>> shortest = make_plan(model.plan, model.graphs, model.manifest, {});
  if (!shortest) return Failure{shortest.error()};
  if (Status said = say_two_tokens(model, **shortest); !said) return Failure{said.error()};
  Result<std::unique_ptr<Plan>> longest = make_plan(model.plan, model.graphs, model.manifest, {});
  if (!longest) return Failure{longest.error()};
  return StandbyGraphs(std::move(*shortest), std::move(*longest));
}

void StandbyGraphs::follow(const wire::Arena& arena) {
  uint32_t least = 0;
  uint32_t most = 0;
  for (uint32_t slot = 0; slot < arena.shape().slots; ++slot) {
    const uint32_t tokens = arena.slot_header(slot).tokens.load(std::memory_order_relaxed);
    if (tokens == 0) continue;
    least = least == 0 ? tokens : std::min(least, tokens);
    most = std::max(most, tokens);
  }
  if (most == 0) return;
  // The longer ones first: what both need is held when the other lets it go. A plan at work
  // prepares the next graph when three quarters of a past are used.
  longest_->expect(uint64_t{most} * 4 / 3);
  shortest_->expect(least);
}

}  // namespace ovenbird
