// What the C interface's handles stand for.
#pragma once

#include <memory>
#include <string>

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
