// Element types by OpenVINO's names, and what the driver's interface calls them.
#pragma once

#include <cstdint>
#include <string_view>

namespace npu_emulator {

struct ElementType {
  std::string_view name;
  uint32_t bits;
  uint32_t precision;  // in ArgumentProperties
  uint32_t metadata;   // in ArgumentMetadata; 0 where it has no word
};

/// nullptr: no such type.
const ElementType* find_element_type(std::string_view name);

}  // namespace npu_emulator
