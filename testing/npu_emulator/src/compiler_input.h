// What the plugin hands to a driver's compiler: an IR with all of its weights, in one buffer.
//
//   u16 major, u16 minor of the compiler   u32 count = 2
//   u64 bytes, the .xml                    u64 bytes, the .bin
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "npu/ir_graph.h"

namespace npu_emulator {

struct CompilerInput {
  std::string_view xml;
  std::span<const uint8_t> weights;
  ovenbird::IrGraph graph;  // the .xml, taken apart
};

/// Views into `bytes`. Errors: what is wrong with them.
ovenbird::Result<CompilerInput> read_compiler_input(std::span<const uint8_t> bytes);

}  // namespace npu_emulator
