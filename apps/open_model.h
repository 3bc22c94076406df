// A bundle made ready to compute: opened, compiled for a device, with the plan of a conversation.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bundle/bundle.h"
#include "command_line.h"
#include "engine/engine.h"
#include "engine/open_engine.h"
#include "ovenbird/result.hpp"
#include "session/plan.h"

namespace ovenbird {

/// What is computed with a model. Scoring wants the logits of every row.
enum class Purpose { kAnswer, kScore };

struct Model {
  std::unique_ptr<const Bundle> opened;  // at a fixed address: the plan refers to its manifest
  std::string plan_name;
  std::string recipe;
  float width_noise = 0;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Plan> plan;  // refers to the engine

  const Bundle& bundle() const { return *opened; }
  const std::string& device() const { return engine->device(); }
  uint32_t vocabulary() const { return opened->manifest().model.vocabulary; }
};

std::string recipe_name(const RunChoice& choice);

/// What the engine is asked for. Its notes go to standard error.
EngineOptions engine_options(const RunChoice& choice, const Manifest& manifest, Purpose purpose);

/// Blocks until the first graph is compiled. Says on standard error why a device that was asked for
/// by name is not used. Errors: those of open_engine and make_plan.
Result<Model> open_model(Bundle bundle, const RunChoice& choice, Purpose purpose);

}  // namespace ovenbird
