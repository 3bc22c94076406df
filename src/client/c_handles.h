// What the C interface's handles stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/client_session.h"
#include "client/model_client.h"
#include "ovenbird/ovenbird.h"

struct ovenbird_client {
  std::shared_ptr<ovenbird::client::ModelClient> model;
  std::string plan;
};

struct ovenbird_session {
  std::unique_ptr<ovenbird::client::ClientSession> session;
  ovenbird::client::ClientSession::Piece piece;  // what was given last
};

namespace ovenbird::client {

/// The tokens of a text as a program gives it: see ovenbird_tokenize(). Errors: those, and
/// kInvalidArgument (null text that is not empty, an unknown flag).
Result<std::vector<int32_t>> tokens_of(ModelClient& model, const char* text, size_t text_bytes,
                                       uint32_t flags);

}  // namespace ovenbird::client
