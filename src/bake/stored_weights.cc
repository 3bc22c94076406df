// Names and sizes of the stored types.
#include "bake/stored_weights.h"

namespace ovenbird {

const char* name_of(StoredType type) {
  switch (type) {
    case StoredType::kI4:
      return "i4";
    case StoredType::kU4:
      return "u4";
    case StoredType::kNf4:
      return "nf4";
    case StoredType::kI8:
      return "i8";
    case StoredType::kU8:
      return "u8";
    case StoredType::kF16:
      return "f16";
    case StoredType::kF32:
      return "f32";
  }
  return "?";
}

uint32_t bits_of(StoredType type) {
  switch (type) {
    case StoredType::kI4:
    case StoredType::kU4:
    case StoredType::kNf4:
      return 4;
    case StoredType::kI8:
    case StoredType::kU8:
      return 8;
    case StoredType::kF16:
      return 16;
    case StoredType::kF32:
      return 32;
  }
  return 0;
}

}  // namespace ovenbird
