// Changes XML as XML: values and elements change, and tags stay in pairs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "byte_mutator.h"

namespace ovenbird {

/// Changes, copies or removes values and elements, a few of them; one in sixteen bytes.
std::string mutated_xml(std::string text, Chance& chance);

/// As LLVMFuzzerCustomMutator.
size_t mutate_xml(uint8_t* data, size_t size, size_t size_max, unsigned seed);

}  // namespace ovenbird
