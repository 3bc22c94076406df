// The process, or the thread, that may not die: owns the arena, starts and watches workers, serves
// clients. Never loads OpenVINO, never waits for anybody but in its event loop.
#pragma once

#include <memory>
#include <thread>

#include "ovenbird/result.hpp"
#include "supervisor/supervisor_options.h"
#include "wire/message_socket.h"

namespace ovenbird {

class Supervisor {
 public:
  enum class Stop { kDrain, kAtOnce };

  /// Opens the bundle, takes or takes over the arena, and listens. Workers are started by run(),
  /// whose thread's children they are: they end with it. What comes before that waits. Errors:
  /// those of Bundle::open; kInvalidArgument (no such plan, device, or a number out of range),
  /// kNotFound (no such engine), kBusy (another supervisor serves this socket), kIo (shared
  /// memory).
  static Result<std::unique_ptr<Supervisor>> start(SupervisorOptions options);

  virtual ~Supervisor() = default;

  /// Serves until stop(). Blocks. Call once, from one thread. Errors: kIo (the event loop cannot
  /// go on). Whatever it returns, workers have ended and all sessions are over; names are gone when
  /// this is destroyed.
  virtual Status run() = 0;

  /// Makes run() return: once turns under way are over, or at once. Any thread; a signal handler.
  virtual void stop(Stop how) = 0;

  /// A client in this process: the other end is served like any other. Any thread. Errors: kIo,
  /// kNotFound (run() has returned).
  virtual Result<wire::MessageSocket> connect() = 0;
};

/// A supervisor that runs in a thread of its own until this is destroyed.
class SupervisorThread {
 public:
  /// Errors: those of Supervisor::start().
  static Result<SupervisorThread> start(SupervisorOptions options);

  SupervisorThread(SupervisorThread&&) = default;
  SupervisorThread& operator=(SupervisorThread&&) = delete;
  ~SupervisorThread();

  Result<wire::MessageSocket> connect() { return supervisor_->connect(); }

 private:
  explicit SupervisorThread(std::unique_ptr<Supervisor> supervisor);

  std::unique_ptr<Supervisor> supervisor_;
  std::thread thread_;
};

}  // namespace ovenbird
