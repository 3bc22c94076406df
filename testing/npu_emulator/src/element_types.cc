// The table.
#include "src/element_types.h"

#include <algorithm>
#include <array>

namespace npu_emulator {
namespace {

constexpr std::array kTypes = {
    ElementType{"f64", 64, 0x0f, 6},    ElementType{"f32", 32, 0x01, 5},
    ElementType{"f16", 16, 0x02, 4},    ElementType{"bf16", 16, 0x09, 3},
    ElementType{"f8e4m3", 8, 0x13, 0},  ElementType{"f8e5m2", 8, 0x14, 0},
    ElementType{"f8e8m0", 8, 0x15, 0},  ElementType{"nf4", 4, 0x12, 0},
    ElementType{"u64", 64, 0x10, 17},   ElementType{"u32", 32, 0x0a, 16},
    ElementType{"u16", 16, 0x03, 15},   ElementType{"u8", 8, 0x04, 14},
    ElementType{"u4", 4, 0x0b, 13},     ElementType{"u2", 2, 0x16, 0},
    ElementType{"u1", 1, 0x08, 12},     ElementType{"i64", 64, 0x11, 11},
    ElementType{"i32", 32, 0x05, 10},   ElementType{"i16", 16, 0x06, 9},
    ElementType{"i8", 8, 0x07, 8},      ElementType{"i4", 4, 0x0c, 7},
    ElementType{"boolean", 8, 0x0e, 2},
};

}  // namespace

const ElementType* find_element_type(std::string_view name) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const ElementType& type) { return type.name == name; });
  return found == kTypes.end() ? nullptr : &*found;
}

}  // namespace npu_emulator
