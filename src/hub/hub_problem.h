// Why a hub did not give what it was asked for, in words that say what to do.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "hub/hub_client.h"

namespace ovenbird {

struct HubProblem {
  Error error;
  bool may_pass = false;  // another try may go better
  std::chrono::seconds wait{0};
};

/// What is wrong with an answer about `model`; none: it is 200 or 206 and has come to its end.
std::optional<HubProblem> problem_of(const HubReply& reply, const HubSettings& settings,
                                     const ModelName& model);

}  // namespace ovenbird
