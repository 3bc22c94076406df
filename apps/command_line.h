// The command line of both programs: what may be typed, and what it says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bake/options.h"
#include "base/sampling_options.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// What was asked for is a text: --help, --version.
struct ShowText {
  std::string text;
};

struct BakeCommand {
  std::string source;
  std::optional<std::string> revision;          // of a model of the hub
  std::optional<std::filesystem::path> output;  // none: named after the source
  BakeOptions options;
  std::string weights_flag;  // the first given flag that says how weights are stored; "": none
  std::optional<std::string> calibrate;                // a text file
  std::optional<std::string> int8_layers, f16_layers;  // lists that MatrixList::parse() reads
  bool replace = false;
};

struct InspectCommand {
  std::string bundle;
  bool json = false;
  bool verify = false;
};

struct DoctorCommand {
  std::string bundle;  // whose cache the memory limit is held against; empty: none
  bool json = false;
};

/// Where and how a bundle runs.
struct RunChoice {
  std::string bundle;               // path of its directory, or of an .xml in it
  std::optional<std::string> plan;  // "window", "cached", "dynamic"; none: the best there is
  std::string device = "auto";  // "NPU", "GPU", "CPU"; auto = the first that works, in that order
  bool fallback = true;         // may take the next device when `device` does not work
  std::optional<std::string> recipe;  // "lean", "balanced", "fast"; none: the device's own
  uint32_t threads = 0;               // of the CPU; 0 = OpenVINO chooses
  bool exact = false;                 // on the CPU: no 8-bit rounding of a matmul's inputs
};

/// How an answer is made.
struct AnswerChoice {
  SamplingOptions sampling;
  std::vector<std::string> stop;  // strings that end the answer
  uint32_t max_tokens = 512;      // of one answer
  std::optional<bool> drafts;     // none: where the recipe has a graph that verifies them
};

struct RunCommand {
  RunChoice where;
  AnswerChoice answer;
  std::optional<std::string> tokenizer;  // a directory with a tokenizer; none: the bundle's
  std::optional<std::string> prompt;     // neither prompt nor ids: standard input
  std::optional<std::vector<int32_t>> ids;
  std::optional<std::string> system;
  bool raw = false;  // the prompt as it is, without the chat template
  bool json = false;
};

struct ChatCommand {
  RunChoice where;
  AnswerChoice answer;
  std::optional<std::string> system;
};

struct ScoreCommand {
  RunChoice where;
  std::optional<std::filesystem::path> text;  // exactly one of text and ids
  std::optional<std::vector<int32_t>> ids;
  std::optional<uint32_t> max_tokens;  // scores the first so many only
  bool json = false;
};

struct BenchCommand {
  RunChoice where;
  bool here = false;     // measures one plan and recipe in this process, instead of starting others
  bool warm_up = false;  // with `here`: only has everything compiled
  bool json = false;
};

struct ServeCommand {
  RunChoice where;
  std::optional<std::string> socket;  // none: in the user's runtime directory
  uint32_t slots = 4;                 // sessions whose cache is held at once
  uint32_t queue = 64;                // turns that may wait for a slot
  uint32_t sessions = 256;            // that may be open
  uint32_t session_tokens = 65536;    // of one conversation, all turns together
  bool standby = false;               // keep a worker warm on the next device
  uint32_t drain_s = 30;              // time for answers under way when it is told to end
};

/// One device's process, started by a supervisor. Nobody types it.
struct WorkerCommand {
  RunChoice where;
  uint32_t index = 0;  // which status of the arena is its own
  bool standby = false;
};

using Command =
    std::variant<ShowText, BakeCommand, InspectCommand, RunCommand, ChatCommand, ScoreCommand,
                 BenchCommand, DoctorCommand, ServeCommand, WorkerCommand>;

/// `arguments` are those after the program's name. Knows nothing about files: a path is a text.
/// Errors: kInvalidArgument, one line that names the argument and the help that explains it.
Result<Command> parse_command_line(std::span<const char* const> arguments);

}  // namespace ovenbird
