// The test strings and hashes of tests/data/text, by the same rules as make_tokenizer_goldens.py.
#pragma once

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace ovenbird {

inline std::string read_text_data(const std::string& name) {
  std::ifstream file(std::string(OVENBIRD_TEST_DATA) + "/text/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Draws string number `index` from the fragments: a SplitMix64 stream picks how many, and which.
class GoldenStrings {
 public:
  GoldenStrings()
      : fragments_(parse_json(read_text_data("fragments.json"))->get<std::vector<std::string>>()) {}

  std::string draw(uint64_t index) const {
    uint64_t state = index;
    const auto step = [&state] {
      state += 0x9E3779B97F4A7C15u;
      uint64_t z = state;
      z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
      z = (z ^ z >> 27) * 0x94D049BB133111EBu;
      return z ^ z >> 31;
    };
    const uint64_t count = index % 50 == 0 ? 200 : step() % 12 + 1;
    std::string text;
    for (uint64_t i = 0; i < count; ++i) text += fragments_[step() % fragments_.size()];
    return text;
  }

 private:
  std::vector<std::string> fragments_;
};

inline std::string fnv(std::string_view bytes) {
  uint32_t value = 0x811C9DC5u;
  for (const char byte : bytes) value = (value ^ static_cast<uint8_t>(byte)) * 0x01000193u;
  char text[9];
  std::snprintf(text, sizeof text, "%08x", value);
  return text;
}

inline std::string fnv_ids(const std::vector<int32_t>& ids) {
  return fnv({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(int32_t)});
}

/// The lines of a .hashes file.
inline std::vector<std::string> golden_hashes(const std::string& name) {
  std::vector<std::string> lines;
  std::istringstream text(read_text_data(name + ".hashes"));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

}  // namespace ovenbird
