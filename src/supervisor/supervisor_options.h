// What a supervisor is asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace ovenbird {

/// How long a worker may take before it is taken for hung.
struct WorkerDeadlines {
  std::chrono::milliseconds start{600'000};      // to load and compile
  std::chrono::milliseconds bind{600'000};       // a step that waits for a graph to be compiled
  std::chrono::milliseconds first_step{60'000};  // while there is no step to learn from
  std::chrono::milliseconds step_floor{2'000};   // no step's deadline is shorter
  std::chrono::milliseconds step_floor_of_first{10'000};  // ... of a worker's first one of a kind
  uint32_t step_factor = 10;                              // times the slowest step so far
};

/// How many deaths a device is forgiven.
struct CrashBudget {
  uint32_t deaths = 3;  // so many within `window`: the next device
  std::chrono::milliseconds window{600'000};
  std::chrono::milliseconds forgiven_after{600'000};  // quiet for so long: one death less
  // Deaths in a row on the last device without a token said: all turns fail. Two turns that end
  // every worker take fewer, and fail by themselves.
  uint32_t fruitless = 7;
  uint32_t of_session =
      3;  // deaths in a row in one session's step without progress: its turn fails
};

struct SupervisorOptions {
  std::string bundle;               // its directory, or an .xml in it
  std::string socket;               // where clients connect; empty: only this process can
  std::string engine;               // path of the program ovenbird-engine
  std::string device = "auto";      // "auto" = NPU, GPU, CPU in turn, or where to begin
  bool fallback = true;             // go on with the next device when one fails
  std::optional<std::string> plan;  // none: "cached", or what the bundle has
  std::optional<std::string> recipe;
  uint32_t threads = 0;                         // of the CPU; 0 = OpenVINO chooses
  bool exact = false;                           // CPU: no 8-bit rounding of a matmul's inputs
  uint32_t slots = 1;                           // sessions whose cache is held at once
  uint32_t queue = 64;                          // turns that may wait for a slot
  uint32_t sessions = 256;                      // that may be open at once
  uint32_t session_tokens = 65536;              // of one conversation, where a client does not say
  bool standby = false;                         // keep a second worker warm on the next device
  std::chrono::milliseconds drain{30'000};      // for turns under way when it is told to end
  std::chrono::milliseconds unclaimed{30'000};  // for clients to come back after a restart
  WorkerDeadlines deadlines;
  CrashBudget crashes;
  bool tells_service_manager = false;  // sd_notify: ready, alive, stopping
  /// Told what operators want to know: a line each, by the supervisor's thread. May be empty.
  std::function<void(const std::string&)> on_note;
};

}  // namespace ovenbird
