// UTF-8 as Unicode defines it: what is whole, what is broken, and how broken text is shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ovenbird {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD
inline constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581, SentencePiece's space

/// What stands at the front of a text.
struct Utf8Step {
  size_t bytes;   // of the character, or of what one U+FFFD stands for if it is broken
  bool is_valid;  // a whole character
  bool is_cut;    // not valid, but the text ends inside what may still become a character
};

/// Looks at the first character of `text`, which must not be empty.
Utf8Step utf8_step(std::string_view text);

/// The code point of a whole character.
char32_t utf8_code_point(std::string_view character);

void append_utf8(std::string& out, char32_t code_point);

bool is_utf8(std::string_view text);

/// Each maximal broken part becomes one U+FFFD (Unicode 3.9, as Python and Rust do it).
std::string utf8_lossy(std::string_view text);

/// Bytes of the White_Space character at the front of `text`; 0 = none there.
size_t leading_space_bytes(std::string_view text);
/// Bytes of the White_Space character at the end of `text`; 0 = none there.
size_t trailing_space_bytes(std::string_view text);

/// Whether `\w` of Unicode (letters, marks, decimal digits, connectors) stands there.
bool starts_with_word_character(std::string_view text);
bool ends_with_word_character(std::string_view text);

}  // namespace ovenbird
