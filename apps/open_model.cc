// A bundle made ready to compute.
#include "open_model.h"

#include <random>
#include <utility>

#include "engine/open_engine.h"
#include "exit_status.h"

namespace ovenbird {
namespace {

/// The plan asked for, else "cached", else what the bundle has.
std::string plan_for(const RunChoice& choice, const Manifest& manifest) {
  if (choice.plan) return *choice.plan;
  for (const GraphInfo& graph : manifest.graphs) {
    if (graph.plan == "cached") return graph.plan;
  }
  return manifest.graphs.empty() ? "cached" : manifest.graphs.front().plan;
}

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

Result<Model> open_model(Bundle opened_bundle, const RunChoice& choice, Purpose purpose) {
  auto bundle = std::make_unique<const Bundle>(std::move(opened_bundle));
  const std::string plan_name = plan_for(choice, bundle->manifest());
  const std::string recipe = choice.recipe.value_or("balanced");
  const EngineOptions options{.plan = plan_name,
                              .recipe = recipe_named(recipe),
                              .device = choice.device,
                              .fallback = choice.fallback,
                              .threads = choice.threads,
                              .exact = choice.exact,
                              .score = purpose == Purpose::kScore,
                              .on_note = note};
  Result<OpenedEngine> opened = open_engine(*bundle, options);
  if (!opened) return Failure{opened.error()};
  say_what_is_used_instead(choice, *opened);
  Result<std::unique_ptr<Plan>> plan = make_plan(plan_name, *opened->engine, bundle->manifest());
  if (!plan) return Failure{plan.error()};
  const float noise = width_noise(bundle->manifest(), options);
  return Model{.opened = std::move(bundle),
               .plan_name = plan_name,
               .recipe = recipe,
               .width_noise = noise,
               .engine = std::move(opened->engine),
               .plan = std::move(*plan)};
}

RunChoice where_to_answer(const RunChoice& where, const AnswerChoice& answer) {
  RunChoice choice = where;
  if (answer.drafts == true && !choice.recipe) choice.recipe = "fast";
  return choice;
}

Result<Session> open_session(Model& model, const AnswerChoice& answer) {
  return Session::create(*model.plan, model.vocabulary(),
                         {.sampling = answer.sampling,
                          .drafts = answer.drafts.value_or(true),
                          .draft_salt = std::random_device()(),
                          .width_noise = model.width_noise});
}

}  // namespace ovenbird
