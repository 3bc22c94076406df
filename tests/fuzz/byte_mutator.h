// Chance, and changes of bytes, for the mutators that know a format.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <vector>

/// libFuzzer's own mutations, which know the dictionary and what was compared with what.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

namespace ovenbird {

class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed + 1) {}

  size_t below(size_t count) { return random_() % count; }
  bool one_in(size_t count) { return below(count) == 0; }

  template <typename Value>
  Value& any_of(std::vector<Value>& values) {
    return values[below(values.size())];
  }

  /// The numbers at which types, limits and signs end.
  uint64_t extreme_number() {
    const uint64_t power = uint64_t{1} << below(64);
    const uint64_t near_power[] = {power, power - 1, power + 1, ~power, uint64_t{0} - power, 0};
    return near_power[below(std::size(near_power))];
  }

 private:
  std::minstd_rand random_;
};

inline std::string mutated_bytes(std::string bytes, size_t growth = 16) {
  const size_t size = bytes.size();
  bytes.resize(size + growth);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), size, bytes.size()));
  return bytes;
}

/// Gives libFuzzer an input, cut where it has no room.
inline size_t hand_over(const std::string& bytes, uint8_t* data, size_t size_max) {
  const size_t size = std::min(bytes.size(), size_max);
  if (size > 0) std::memcpy(data, bytes.data(), size);
  return size;
}

}  // namespace ovenbird
