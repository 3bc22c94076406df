// A few tokens for nobody.
#include "worker/warm_up.h"

#include <array>
#include <memory>

namespace ovenbird {

Status warm_up(const WorkerModel& model) {
  Result<std::unique_ptr<Plan>> plan = make_plan(model.plan, model.graphs, model.manifest, {});
  if (!plan) return Failure{plan.error()};
  Result<Session> session = Session::create(**plan, model.manifest.model.vocabulary, {});
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

}  // namespace ovenbird
