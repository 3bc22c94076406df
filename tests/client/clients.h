// Clients of fake workers over the bundle of the examples, whose words are tokens.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fakes/orders.h"
#include "ovenbird/client.hpp"

namespace ovenbird {

using Ids = std::vector<int32_t>;

template <typename T>
T taken(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

inline void must(const Status& status) {
  if (!status) FAIL(status.error().message);
}

/// A supervisor in this process.
Client start_client(StartOptions options = {});

/// `ovenbird serve` in a process of its own, to be killed and started again.
class Daemon {
 public:
  Daemon();
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const std::string& socket() const { return socket_; }
  Client connect() const;
  void start();
  /// SIGKILL, and it is gone.
  void kill();

 private:
  std::string socket_;
  pid_t process_ = -1;
};

/// A conversation of words, and what is answered to it: greedy, until there are `count` tokens.
Ids prompt_of(size_t tokens);
Ids answer_to(const Ids& prompt, uint32_t count);

GenerateOptions answer_of(uint32_t tokens);

/// The tokens of a whole answer that has been begun.
Ids rest_of(Session& session);

}  // namespace ovenbird
