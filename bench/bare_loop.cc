// Over a Session with memory of its own. (The client library has a class of the same name.)
#include "bare_loop.h"

#include <utility>

#include "base/shared_memory.h"
#include "open_model.h"
#include "session/session.h"
#include "session/shared_graphs.h"
#include "session/slot_memory.h"
#include "wire/arena.h"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;

double in_ms(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// A slot of shared memory with nothing in it.
struct SharedSlot {
  SharedMemory memory;
  std::unique_ptr<Plan> plan;  // lies in it
};

Result<SharedSlot> plan_in_shared_memory(const Model& model) {
  const Manifest& manifest = model.bundle().manifest();
  const uint32_t rows = cache_rows(manifest, model.plan_name);
  const wire::ArenaShape shape{.rows = rows,
                               .tensors = 2 * manifest.model.layers,
                               .tensor_bytes = manifest.head_bytes(rows) * manifest.model.kv_heads,
                               .scratch_bytes = manifest.head_bytes(rows)};
  Result<SharedMemory> memory = SharedMemory::create_unnamed(wire::Arena::bytes_for(shape));
  if (!memory) return Failure{memory.error()};
  const wire::Arena arena = wire::Arena::create(memory->bytes(), shape);
  const SlotMemory slot{
      .pages = arena.slot_pages(0), .header = &arena.slot_header(0), .scratch = arena.scratch()};
  Result<std::unique_ptr<Plan>> plan = make_plan(
      model.plan_name, std::make_shared<SharedGraphs>(*model.engine), manifest, {.slot = slot});
  if (!plan) return Failure{plan.error()};
  return SharedSlot{.memory = std::move(*memory), .plan = std::move(*plan)};
}

class OverEngine : public BareLoop {
 public:
  OverEngine(SharedMemory slot, Model model, Session session)
      : slot_(std::move(slot)), model_(std::move(model)), session_(std::move(session)) {}

  uint32_t vocabulary() const override { return model_.vocabulary(); }

  Result<AnswerTimes> ask(std::span<const int32_t> prompt, uint32_t tokens) override {
    const Clock::time_point asked = Clock::now();
    if (Status done = session_.prompt(prompt); !done) return Failure{done.error()};
    Clock::time_point first;
    for (uint32_t token = 0; token < tokens; ++token) {
      if (const Result<int32_t> id = session_.next(); !id) return Failure{id.error()};
      if (token == 0) first = Clock::now();
    }
    return AnswerTimes::of(asked, first, tokens);
  }

 private:
  SharedMemory slot_;
  Model model_;
  Session session_;
};

}  // namespace

AnswerTimes AnswerTimes::of(Clock::time_point asked, Clock::time_point first, uint32_t tokens) {
  return {.first_ms = in_ms(first - asked), .token_ms = in_ms(Clock::now() - first) / (tokens - 1)};
}

Result<std::unique_ptr<BareLoop>> BareLoop::start(const Where& where) {
  Result<Bundle> bundle = Bundle::open(where.bundle);
  if (!bundle) return Failure{bundle.error()};
  const RunChoice choice{.bundle = where.bundle,
                         .device = where.device,
                         .recipe = where.recipe,
                         .threads = where.threads,
                         .exact = where.exact};
  Result<Model> model = open_model(*std::move(bundle), choice, Purpose::kAnswer);
  if (!model) return Failure{model.error()};
  SharedMemory slot;
  if (where.in_shared_memory) {
    Result<SharedSlot> shared = plan_in_shared_memory(*model);
    if (!shared) return Failure{shared.error()};
    slot = std::move(shared->memory);
    model->plan = std::move(shared->plan);
  }
  Result<Session> session = Session::create(*model->plan, model->vocabulary(), {});
  if (!session) return Failure{session.error()};
  return std::unique_ptr<BareLoop>(
      std::make_unique<OverEngine>(std::move(slot), std::move(*model), std::move(*session)));
}

}  // namespace ovenbird
