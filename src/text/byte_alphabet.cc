// GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes are U+0100...
#include "text/byte_alphabet.h"

#include <array>

#include "text/utf8.h"

namespace ovenbird {
namespace {

constexpr bool stands_for_itself(uint32_t byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr uint32_t kAlphabetEnd = 256 + 68;

constexpr std::array<uint16_t, 256> make_characters() {
  std::array<uint16_t, 256> characters{};
  uint16_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    characters[byte] = stands_for_itself(byte) ? static_cast<uint16_t>(byte) : next++;
  }
  return characters;
}

constexpr std::array<uint16_t, 256> kCharacters = make_characters();
constexpr uint16_t kNoByte = 256;

constexpr std::array<uint16_t, kAlphabetEnd> make_bytes() {
  std::array<uint16_t, kAlphabetEnd> bytes{};
  for (uint16_t& byte : bytes) byte = kNoByte;
  for (uint16_t byte = 0; byte < 256; ++byte) bytes[kCharacters[byte]] = byte;
  return bytes;
}

constexpr std::array<uint16_t, kAlphabetEnd> kBytes = make_bytes();

}  // namespace

std::string alphabet_character(uint8_t byte) {
  std::string character;
  append_utf8(character, kCharacters[byte]);
  return character;
}

std::optional<std::string> bytes_of_alphabet(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    if (!step.is_valid) return std::nullopt;
    const char32_t character = utf8_code_point(text.substr(0, step.bytes));
    if (character >= kAlphabetEnd || kBytes[character] == kNoByte) return std::nullopt;
    bytes += static_cast<char>(static_cast<uint8_t>(kBytes[character]));
    text.remove_prefix(step.bytes);
  }
  return bytes;
}

}  // namespace ovenbird
