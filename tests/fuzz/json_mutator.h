// Changes JSON as JSON: what comes out is well-formed mostly, and so gets beyond the parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "byte_mutator.h"

namespace ovenbird {

/// Changes values, keys or the structure, a few times; one in eight, and what is no JSON, as bytes.
std::string mutated_json(const std::string& text, Chance& chance);

/// As LLVMFuzzerCustomMutator, for inputs of one document or several with NULs between them.
size_t mutate_documents(uint8_t* data, size_t size, size_t size_max, unsigned seed);

}  // namespace ovenbird
