// GGUF's blocks of 256 numbers to f32.
#pragma once

#include <cstddef>

namespace ovenbird {

// Each reads one whole block (block_layout(...).bytes) and writes 256 numbers.
void dequantize_q4_k(const std::byte* block, float* out);
void dequantize_q5_k(const std::byte* block, float* out);
void dequantize_q6_k(const std::byte* block, float* out);

}  // namespace ovenbird
