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
#include "ovenbird/result.hpp"
#include "session/plan.h"
#include "session/session.h"
#include "text/tokenizer.h"

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

/// Blocks until the first graph is compiled. Says on standard error why a device that was asked for
/// by name is not used. Errors: those of open_engine and make_plan.
Result<Model> open_model(Bundle bundle, const RunChoice& choice, Purpose purpose);

/// `where`, with the recipe that these answers want if none is named: drafts that are asked for
/// need a graph that verifies them.
RunChoice where_to_answer(const RunChoice& where, const AnswerChoice& answer);

/// A session over the model's plan. Errors: those of Session::create.
Result<Session> open_session(Model& model, const AnswerChoice& answer);

/// The tokenizer of a bundle. `other` names another one: a directory with a tokenizer.json, a
/// bundle, or a hub id in the local cache.
/// Errors: kNotFound (there is none; says what to do), kCorrupt, kUnsupported, kIo.
Result<Tokenizer> open_tokenizer(const Bundle& bundle, const std::optional<std::string>& other);

/// Ids that end an answer: the model's, and the tokenizer's if there is one.
std::vector<int32_t> end_ids(const Bundle& bundle, const Tokenizer* tokenizer);

}  // namespace ovenbird
