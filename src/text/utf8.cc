// UTF-8: the table of well-formed sequences (Unicode 15, table 3-7), and the few properties needed.
#include "text/utf8.h"

#include <utf8proc.h>

namespace ovenbird {
namespace {

uint8_t byte_at(std::string_view text, size_t index) { return static_cast<uint8_t>(text[index]); }

/// The last character of `text`, empty if it does not end in a whole one.
std::string_view last_character(std::string_view text) {
  for (size_t bytes = 1; bytes <= 4 && bytes <= text.size(); ++bytes) {
    const std::string_view tail = text.substr(text.size() - bytes);
    const Utf8Step step = utf8_step(tail);
    if (step.is_valid && step.bytes == bytes) return tail;
  }
  return {};
}

bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

/// Symbols (So) that Unicode calls alphabetic: circled and squared letters.
bool is_alphabetic_symbol(char32_t c) {
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

bool is_word_character(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return c == 0x200C || c == 0x200D || is_alphabetic_symbol(c);
  }
}

}  // namespace

Utf8Step utf8_step(std::string_view text) {
  const uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) return {.bytes = 1, .is_valid = true, .is_cut = false};
  size_t length = 0;
  // The second byte's range is narrower after some leads: no overlong forms, no surrogates,
  // nothing above U+10FFFF.
  uint8_t low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {.bytes = 1, .is_valid = false, .is_cut = false};
  }
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {.bytes = i, .is_valid = false, .is_cut = true};
    const uint8_t next = byte_at(text, i);
    if (next < low || next > high) return {.bytes = i, .is_valid = false, .is_cut = false};
    low = 0x80;
    high = 0xBF;
  }
  return {.bytes = length, .is_valid = true, .is_cut = false};
}

char32_t utf8_code_point(std::string_view character) {
  const char32_t lead = byte_at(character, 0);
  if (character.size() == 1) return lead;
  char32_t code_point = lead & (0x7Fu >> character.size());
  for (size_t i = 1; i < character.size(); ++i) {
    code_point = (code_point << 6) | (byte_at(character, i) & 0x3Fu);
  }
  return code_point;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&](char32_t bits) { out += static_cast<char>(static_cast<uint8_t>(bits)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    if (!step.is_valid) return false;
    text.remove_prefix(step.bytes);
  }
  return true;
}

std::string utf8_lossy(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    out += step.is_valid ? text.substr(0, step.bytes) : kReplacementCharacter;
    text.remove_prefix(step.bytes);
  }
  return out;
}

size_t leading_space_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const Utf8Step step = utf8_step(text);
  if (!step.is_valid) return 0;
  return is_space(utf8_code_point(text.substr(0, step.bytes))) ? step.bytes : 0;
}

size_t trailing_space_bytes(std::string_view text) {
  const std::string_view last = last_character(text);
  return !last.empty() && is_space(utf8_code_point(last)) ? last.size() : 0;
}

bool starts_with_word_character(std::string_view text) {
  if (text.empty()) return false;
  const Utf8Step step = utf8_step(text);
  return step.is_valid && is_word_character(utf8_code_point(text.substr(0, step.bytes)));
}

bool ends_with_word_character(std::string_view text) {
  const std::string_view last = last_character(text);
  return !last.empty() && is_word_character(utf8_code_point(last));
}

}  // namespace ovenbird
