// Answers by a loop over the engine, in this process: what there is without a supervisor.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// When the tokens of one answer came.
struct AnswerTimes {
  double first_ms = 0;  // from the question to the first
  double token_ms = 0;  // for each that followed

  static AnswerTimes of(std::chrono::steady_clock::time_point asked,
                        std::chrono::steady_clock::time_point first, uint32_t tokens);
};

/// Where both run.
struct Where {
  std::string bundle;
  std::string device;
  std::string recipe;
  uint32_t threads = 0;
  bool exact = false;
  bool in_shared_memory =
      false;  // the bare loop's cache, all of it allocated, as a supervisor's is
};

class BareLoop {
 public:
  /// Errors: those of open_model() and Session::create().
  static Result<std::unique_ptr<BareLoop>> start(const Where& where);
  virtual ~BareLoop() = default;
  virtual uint32_t vocabulary() const = 0;
  /// Greedy. Errors: those of Session::prompt() and next().
  virtual Result<AnswerTimes> ask(std::span<const int32_t> prompt, uint32_t tokens) = 0;
};

}  // namespace ovenbird
