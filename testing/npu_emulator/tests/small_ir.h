// Small graphs as the plugin hands them to the driver's compiler, written by hand.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace npu_emulator {

/// A graph of two inputs "left" and "right" and one output "sum". The defaults are one that the
/// driver takes; each member is one thing that can be wrong with it.
struct SmallIr {
  std::string precision = "FP32";       // of all three, as ports write it
  std::string element_type = "f32";     // the same, as a Parameter writes it
  std::vector<int> shape = {1, 16};     // -1: open
  std::string operation = "Add";        // what makes the sum
  std::vector<std::string> names = {};  // of the left tensor
};

std::string xml_of(const SmallIr& ir);

/// The compiler's input: version, number of parts, the .xml and the .bin with their lengths.
std::vector<uint8_t> serialized(std::string_view xml, std::span<const uint8_t> bin = {});

inline std::vector<uint8_t> serialized(const SmallIr& ir) { return serialized(xml_of(ir)); }

}  // namespace npu_emulator
