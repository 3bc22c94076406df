// The 4-bit type whose values lie as those of a normal distribution do, as OpenVINO decodes it.
#pragma once

#include <array>
#include <cstdint>

namespace ovenbird {

/// NormalFloat (Dettmers et al. 2023, appendix E): what code c stands for, before the scale.
inline constexpr std::array<float, 16> kNf4Values = {-1.0f,
                                                     -0.6961928009986877f,
                                                     -0.5250730514526367f,
                                                     -0.39491748809814453f,
                                                     -0.28444138169288635f,
                                                     -0.18477343022823334f,
                                                     -0.09105003625154495f,
                                                     0.0f,
                                                     0.07958029955625534f,
                                                     0.16093020141124725f,
                                                     0.24611230194568634f,
                                                     0.33791524171829224f,
                                                     0.44070982933044434f,
                                                     0.5626170039176941f,
                                                     0.7229568362236023f,
                                                     1.0f};

/// Half way from value c to the next.
constexpr float nf4_border(size_t c) { return (kNf4Values[c] + kNf4Values[c + 1]) / 2; }

/// The code of the value nearest to `number`.
inline uint32_t nearest_nf4(float number) {
  uint32_t code = 0;
  for (size_t c = 0; c + 1 < kNf4Values.size(); ++c) code += number > nf4_border(c) ? 1 : 0;
  return code;
}

}  // namespace ovenbird
