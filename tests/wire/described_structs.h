// The structs, constants and messages that docs/WIRE.md describes, as the compiler sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace ovenbird::wire {

struct DescribedField {
  size_t offset = 0;
  size_t bytes = 0;
};

struct DescribedStruct {
  size_t bytes = 0;
  std::map<std::string, DescribedField> fields;
};

std::map<std::string, DescribedStruct> described_structs();
std::map<std::string, uint64_t> described_constants();
std::map<std::string, uint64_t> client_messages();
std::map<std::string, uint64_t> worker_messages();

}  // namespace ovenbird::wire
