// A small GGUF model in parts, so that a test can spoil any one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ovenbird {

/// A metadata value as it lies in the file: type code and bytes.
struct GgufRaw {
  uint32_t type = 0;
  std::string bytes;
};

GgufRaw gguf_u32(uint32_t value);
GgufRaw gguf_f32(float value);
GgufRaw gguf_bool(bool value);
GgufRaw gguf_text(std::string_view value);
GgufRaw gguf_texts(const std::vector<std::string>& values);
GgufRaw gguf_i32s(const std::vector<int32_t>& values);
GgufRaw gguf_f32s(const std::vector<float>& values);
GgufRaw gguf_bools(const std::vector<bool>& values);

/// A little-endian number as bytes.
template <typename Number>
std::string bytes_of(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

struct GgufEntry {
  std::string key;
  GgufRaw value;
};

struct GgufTensorInfo {
  std::string name;
  std::vector<uint64_t> dimensions;  // fastest first, as in the file
  uint32_t type = 0;
  uint64_t offset = 0;
};

struct TinyGguf {
  uint32_t magic = 0x46554747;
  uint32_t version = 3;
  std::optional<uint64_t> tensor_count, entry_count;  // what the header says, if not the truth
  std::vector<GgufEntry> entries;
  std::vector<GgufTensorInfo> tensors;
  std::string data;

  std::string bytes() const;

  GgufRaw& at(std::string_view key);
  void set(const std::string& key, GgufRaw value);
  void erase(std::string_view key);
  GgufTensorInfo& tensor(std::string_view name);
  /// Appends F32 zeros, at the next multiple of 32.
  GgufTensorInfo& add_tensor(std::string name, std::vector<uint64_t> dimensions);
  void add_floats(std::string name, const std::vector<float>& values);
  void remove_tensor(std::string_view name);
  /// Makes the one layer `count` of them, alike.
  void repeat_layer(uint32_t count);
};

/// One layer of llama, F32: hidden 8, 2 heads over 1 of 4, MLP 12, 5 tokens, tied.
TinyGguf good_gguf();

/// The same under another architecture's name, with that one's keys and tensors: gemma2, gemma3,
/// granite, olmo2, phi3 (longrope), qwen2, qwen3, qwen3moe, smollm3. "mixtral" is a llama with
/// experts. Windows are of 16 tokens, and of 3 experts 2 are chosen.
TinyGguf good_gguf_of(const std::string& architecture);

}  // namespace ovenbird
