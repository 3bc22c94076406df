// Changes a GGUF as what it is: entries and tensors change, and the sections stay well-framed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "byte_mutator.h"

namespace ovenbird {

/// A GGUF up to its data, as parts that can be changed and written again. Nothing in it needs to
/// be right.
struct GgufParts {
  struct Entry {
    std::string key;
    uint32_t type = 0;
    uint32_t element_type = 0;        // of an array
    std::vector<std::string> values;  // their bytes; of a plain value there is one
  };
  struct Info {
    std::string name;
    std::vector<uint64_t> dimensions;
    uint32_t type = 0;
    uint64_t offset = 0;
  };
  uint32_t version = 3;
  std::vector<Entry> entries;
  std::vector<Info> tensors;
};

/// None for what is not framed well enough to be told apart.
std::optional<GgufParts> parts_of_gguf(std::span<const std::byte> file);

/// Padded to where the data begins, if the alignment is the usual one.
std::string gguf_of(const GgufParts& parts);

/// Changes a few things.
void mutate(GgufParts& parts, Chance& chance);

/// Gives each tensor the place behind the one before; returns where the last one ends.
uint64_t lay_out(GgufParts& parts);

}  // namespace ovenbird
