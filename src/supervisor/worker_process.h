// One worker as its parent sees it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "ovenbird/result.hpp"
#include "wire/message_socket.h"

namespace ovenbird {

class WorkerProcess {
 public:
  struct Start {
    std::string program;
    std::vector<std::string> arguments;  // after the program's name
    std::string device;
    uint32_t index = 0;  // of its status in the arena
    int arena = -1;      // descriptor
  };

  /// Errors: kIo (no process can be made), kNotFound (the program is not there).
  static Result<std::unique_ptr<WorkerProcess>> start(const Start& start);

  /// Kills it and waits until it is gone.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  const wire::MessageSocket& socket() const { return socket_; }
  int exit_descriptor() const { return pidfd_.get(); }  // becomes readable when it has ended
  pid_t pid() const { return pid_; }
  const std::string& device() const { return device_; }
  /// It has said which one it uses.
  void set_device(std::string device) { device_ = std::move(device); }
  uint32_t index() const { return index_; }

  void kill() const;

  /// Whether it has ended; does not wait. `how_it_ended` says how then.
  bool has_ended();
  const std::string& how_it_ended() const { return how_it_ended_; }

 private:
  WorkerProcess(pid_t pid, FileDescriptor pidfd, wire::MessageSocket socket, const Start& start);
  bool reap(int options);

  pid_t pid_;
  FileDescriptor pidfd_;
  wire::MessageSocket socket_;
  std::string device_;
  uint32_t index_;
  bool is_gone_ = false;
  std::string how_it_ended_;
};

}  // namespace ovenbird
