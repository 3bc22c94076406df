// Random numbers that are a function of a key and a counter, so that nothing has to be remembered.
#pragma once

#include <array>
#include <cstdint>

namespace ovenbird {

/// Philox4x32-10: 128 random bits for a counter under a key (Salmon, Moraes, Dror, Shaw: "Parallel
/// random numbers: as easy as 1, 2, 3", SC 2011). The same arguments give the same bits for ever.
inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                          std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53;
  constexpr uint64_t kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kKeyStep0 = 0x9E3779B9;  // the golden ratio
  constexpr uint32_t kKeyStep1 = 0xBB67AE85;  // the root of 3, less one
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kKeyStep0;
    key[1] += kKeyStep1;
  }
  return counter;
}

/// The number in [0, 1) that belongs to `position` under `seed`; 53 random bits.
inline double uniform_at(uint64_t seed, uint64_t position) {
  const std::array<uint32_t, 4> bits =
      philox4x32({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), 0, 0},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const uint64_t wide = (uint64_t{bits[1]} << 32 | bits[0]) >> 11;
  return static_cast<double>(wide) * 0x1p-53;
}

}  // namespace ovenbird
