// A client: the connection to a supervisor, the supervisor itself where it runs in this process,
// and the text side of its bundle.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "client/connection.h"
#include "client/model_text.h"
#include "ovenbird/result.hpp"
#include "supervisor/supervisor.h"

namespace ovenbird::client {

/// Any thread. Sessions share it: it lives as long as the last of them.
class ModelClient {
 public:
  /// Errors: those of SupervisorThread::start() and Connection::open().
  static Result<std::shared_ptr<ModelClient>> start(SupervisorOptions options);

  /// `socket` empty: wire::default_socket(). Errors: those of Connection::open().
  static Result<std::shared_ptr<ModelClient>> connect(const std::string& socket);

  Connection& connection() { return *connection_; }

  /// Read when it is first asked for. Errors: those of ModelText::open(), kCorrupt (another
  /// bundle lies there now); the same ever after.
  const Result<ModelText>& text();

  /// Blocks for the supervisor's answer. Errors: those of Connection::ask().
  Result<wire::Statistics> statistics();

 private:
  ModelClient() = default;

  // The supervisor goes last: the connection ends at it.
  std::optional<SupervisorThread> supervisor_;
  std::shared_ptr<Connection> connection_;
  std::mutex text_mutex_;
  std::optional<Result<ModelText>> text_;
};

}  // namespace ovenbird::client
