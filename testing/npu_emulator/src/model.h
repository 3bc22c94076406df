// A compiled graph: what it takes and gives, and how it is run on bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "src/compiler_input.h"

namespace npu_emulator {

/// An argument of a graph. Inputs come first, then outputs, each in the IR's order.
struct Argument {
  bool is_input = false;
  std::string name;                // the friendly name of its Parameter or Result
  std::string type;                // OpenVINO's name: "f32"
  std::vector<int64_t> shape;      // outermost first
  std::vector<std::string> names;  // of the tensor
  uint64_t bytes = 0;
};

class Model {
 public:
  virtual ~Model() = default;

  /// Runs on dense tensors, one address for each argument. Returns why it failed, or "".
  /// One run at a time; it waits for another thread's.
  virtual std::string run(std::span<void* const> addresses) = 0;
};

/// Why something was not compiled.
struct Refusal {
  std::string why;
};

/// The arguments of a graph. Refuses what the driver's interface cannot express.
std::variant<std::vector<Argument>, Refusal> arguments_of(const ovenbird::IrGraph& graph);

/// Runs on OpenVINO's CPU plugin, in this process. `build_flags`: the plugin's options.
std::variant<std::unique_ptr<Model>, Refusal> compile_for_cpu(
    const CompilerInput& input, const std::vector<Argument>& arguments,
    const std::string& build_flags);

/// Computes nothing: outputs repeat the bytes of the first input.
std::unique_ptr<Model> make_echo(const std::vector<Argument>& arguments);

}  // namespace npu_emulator
