// Byte-level BPE writes each byte as one printable character; this turns the characters back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ovenbird {

/// The character that stands for `byte` in GPT-2's vocabulary files, as UTF-8.
/// Source of the rule: openai/gpt-2, encoder.py, bytes_to_unicode.
std::string alphabet_character(uint8_t byte);

/// The bytes that `text` stands for; nothing if one of its characters stands for no byte.
std::optional<std::string> bytes_of_alphabet(std::string_view text);

}  // namespace ovenbird
