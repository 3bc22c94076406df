// Conversations that outlive the engine, plan and session that work on them, as tests set them up.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "durable_slot.h"
#include "plan_bench.h"
#include "session/cache_plan.h"
#include "session/session.h"

namespace ovenbird {

/// What an owner publishes of a conversation.
struct KeptRecord {
  Ids tokens;
  size_t prompt_tokens = 0;
  size_t computed = 0;
};

/// A model and the memory of one conversation.
struct Durable {
  Durable(const ToyBundle& toy, const std::string& graphs)
      : bundle(toy),
        manifest(toy_manifest(toy)),
        set(graph_set(manifest, graphs)),
        slot(manifest, std::max(cache_rows(manifest, set.plan), 1u)),
        logits(shared_pages(size_t{logit_rows_max(manifest, set.plan)} * toy.vocabulary *
                            sizeof(float))) {}

  std::span<float> logits_span() const {
    return {reinterpret_cast<float*>(logits.bytes().data()), logits.bytes().size() / sizeof(float)};
  }

  const ToyBundle bundle;
  const Manifest manifest;
  const GraphSet set;
  const DurableSlot slot;
  const PageMemory logits;
};

/// One process's work on it. When it ends, its engine must have seen nothing wrong.
struct DurableWorker {
  DurableWorker(const Durable& durable, const SessionOptions& options,
                std::function<void()> on_store = {})
      : engine(durable.manifest, durable.set.graphs) {
    PlanMemory memory{.logits = durable.logits_span()};
    if (durable.set.plan != "window") memory.slot = durable.slot.memory(std::move(on_store));
    Result<std::unique_ptr<Plan>> made = make_plan(
        durable.set.plan, std::make_shared<SharedGraphs>(engine), durable.manifest, memory);
    REQUIRE(made);
    plan = std::move(*made);
    Result<Session> opened = Session::create(*plan, durable.bundle.vocabulary, options);
    REQUIRE(opened);
    session.emplace(std::move(*opened));
  }
  ~DurableWorker() {
    for (const std::string& fault : engine.faults()) CHECK_MESSAGE(false, fault);
  }

  void resume(const KeptRecord& record, std::optional<uint32_t> unsaid = std::nullopt) {
    const Status restored = plan->restore(std::span(record.tokens).first(record.computed));
    REQUIRE_MESSAGE(restored, (restored ? "" : restored.error().message));
    REQUIRE(session->resume({.tokens = record.tokens,
                             .prompt_tokens = record.prompt_tokens,
                             .unsaid_logit_rows = unsaid}));
  }

  KeptRecord record() const {
    const auto tokens = session->tokens();
    return {.tokens = {tokens.begin(), tokens.end()},
            .prompt_tokens = session->prompt_tokens(),
            .computed = plan->tokens()};
  }

  FakeEngine engine;
  std::unique_ptr<Plan> plan;
  std::optional<Session> session;
};

/// A step as far as a device could tell it from another one.
inline bool is_same_step(const FakeEngine::Step& a, const FakeEngine::Step& b) {
  return a.graph == b.graph && a.width == b.width && a.past == b.past && a.seen == b.seen &&
         a.tokens == b.tokens;
}

}  // namespace ovenbird
