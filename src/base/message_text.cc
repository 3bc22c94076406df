// Text from outside, made fit for an error message.
#include "base/message_text.h"

#include <cstddef>

namespace ovenbird {
namespace {

constexpr size_t kPrintableBytesMax = 80;
constexpr size_t kMessageBytesMax = 1000;

unsigned char byte_at(std::string_view text, size_t index) {
  return static_cast<unsigned char>(text[index]);
}

void append_escaped(std::string& out, unsigned char byte) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

/// Bytes of the well-formed character at the front of `text` that may be shown; 0 if there is none.
size_t shown_bytes(std::string_view text) {
  const unsigned char first = byte_at(text, 0);
  if (first < 0x80) return first >= ' ' && first != 0x7f ? 1 : 0;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t index = 1; index < length; ++index) {
    if ((byte_at(text, index) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte_at(text, 1);
  const bool is_control = first == 0xc2 && second < 0xa0;  // U+0080 to U+009F
  const bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool is_surrogate = first == 0xed && second >= 0xa0;
  const bool is_beyond = first == 0xf4 && second >= 0x90;
  return is_control || is_overlong || is_surrogate || is_beyond ? 0 : length;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kPrintableBytesMax)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      append_escaped(out, static_cast<unsigned char>(c));
    }
  }
  if (text.size() > kPrintableBytesMax) out += "...";
  return out;
}

std::string in_quotes(std::string_view text) { return "\"" + printable(text) + "\""; }

std::string one_line(std::string_view message) {
  std::string out;
  while (!message.empty()) {
    if (out.size() >= kMessageBytesMax - 8) return out + "...";
    const size_t shown = shown_bytes(message);
    if (shown == 0) {
      append_escaped(out, byte_at(message, 0));
    } else {
      out += message.substr(0, shown);
    }
    message.remove_prefix(shown == 0 ? 1 : shown);
  }
  return out;
}

}  // namespace ovenbird
