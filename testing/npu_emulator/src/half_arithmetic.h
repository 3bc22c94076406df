// A graph rewritten so that the CPU plugin computes it as a device of f16 arithmetic would.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/compiler_input.h"

namespace npu_emulator {

struct RewrittenModel {
  std::string xml;
  std::vector<uint8_t> weights;
};

/// Every arithmetic result that depends on an input is rounded to the 11 significant bits of f16,
/// and is infinite from 65520 on. Subnormals are kept: the smallest result stays as small as in
/// f32. Layers that `build_flags` asks to compute in higher precision are left as they are: those
/// of a type, and for "Add_RMSNorm" the addition in an RMSNorm.
RewrittenModel with_half_arithmetic(const CompilerInput& input, const std::string& build_flags);

}  // namespace npu_emulator
