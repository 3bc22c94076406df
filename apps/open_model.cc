// A bundle made ready to compute.
#include "open_model.h"

#include <utility>

#include "engine/open_engine.h"
#include "exit_status.h"

namespace ovenbird {
namespace {

Recipe recipe_named(const std::string& name) {
  if (name == "lean") return Recipe::kLean;
  if (name == "fast") return Recipe::kFast;
  return Recipe::kBalanced;
}

void say_what_is_used_instead(const RunChoice& choice, const OpenedEngine& opened) {
  if (choice.device == "auto") return;  // to find no NPU is no news then
  for (const std::string& why : opened.notes) note(why);
  if (!opened.notes.empty()) note("using " + opened.engine->device() + " instead");
}

}  // namespace

std::string recipe_name(const RunChoice& choice) { return choice.recipe.value_or("balanced"); }

EngineOptions engine_options(const RunChoice& choice, const Manifest& manifest, Purpose purpose) {
  return {.plan = choice.plan.value_or(best_plan(manifest)),
          .recipe = recipe_named(recipe_name(choice)),
          .device = choice.device,
          .fallback = choice.fallback,
          .threads = choice.threads,
          .exact = choice.exact,
          .score = purpose == Purpose::kScore,
          .on_note = note};
}

Result<Model> open_model(Bundle opened_bundle, const RunChoice& choice, Purpose purpose) {
  auto bundle = std::make_unique<const Bundle>(std::move(opened_bundle));
  const EngineOptions options = engine_options(choice, bundle->manifest(), purpose);
  Result<OpenedEngine> opened = open_engine(*bundle, options);
  if (!opened) return Failure{opened.error()};
  say_what_is_used_instead(choice, *opened);
  Result<std::unique_ptr<Plan>> plan = make_plan(options.plan, *opened->engine, bundle->manifest());
  if (!plan) return Failure{plan.error()};
  const float noise = width_noise(bundle->manifest(), options);
  return Model{.opened = std::move(bundle),
               .plan_name = options.plan,
               .recipe = recipe_name(choice),
               .width_noise = noise,
               .engine = std::move(opened->engine),
               .plan = std::move(*plan)};
}

}  // namespace ovenbird
