// From Oniguruma's regular expressions to PCRE2's: the signs that both know but read differently.
#include <string>

#include "base/message_text.h"
#include "text/pattern.h"

namespace ovenbird {
namespace {

// Unicode's White_Space, as the inside of a class. PCRE2's \s has U+180E besides, Oniguruma's not.
constexpr std::string_view kSpaceSet =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";
// PCRE2's \w lacks the marks and the connectors besides "_".
constexpr std::string_view kWordSet = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}";
// PCRE2's \h is horizontal white space, Oniguruma's a hexadecimal digit.
constexpr std::string_view kHexSet = "0-9A-Fa-f";

class Translator {
 public:
  explicit Translator(std::string_view source) : source_(source) {}

  Result<std::string> run() {
    while (at_ < source_.size()) {
      const Status step = in_class_ ? class_sign() : sign();
      if (!step) return Failure{step.error()};
    }
    return std::move(out_);
  }

 private:
  Status sign() {
    const char c = source_[at_];
    if (c == '\\') return escape();
    if (c == '(' && source_.substr(at_).starts_with("(?")) return group();
    if (c == '[') {
      in_class_ = true;
      copy(1);
      if (peek('^')) copy(1);
      if (peek(']')) out_ += '\\', copy(1);  // a "]" that comes first is a member
      return ok();
    }
    copy(1);
    return ok();
  }

  Status class_sign() {
    const std::string_view rest = source_.substr(at_);
    if (rest[0] == '\\') return escape();
    if (rest.starts_with("[:")) {
      const size_t end = rest.find(":]");
      if (end == std::string_view::npos) return refuse("an unfinished [: :]");
      copy(end + 2);
      return ok();
    }
    if (rest[0] == '[') return refuse("a class inside a class");
    if (rest.starts_with("&&")) return refuse("an intersection of classes (&&)");
    if (rest[0] == ']') in_class_ = false;
    copy(1);
    return ok();
  }

  /// Flags that switch the meaning of "." or the anchors differ between the two.
  Status group() {
    size_t end = at_ + 2;
    while (end < source_.size() &&
           (source_[end] == 'i' || source_[end] == 'x' || source_[end] == 'm' ||
            source_[end] == 's' || source_[end] == '-')) {
      if (source_[end] == 'm' || source_[end] == 's') return refuse("the flag (?m) or (?s)");
      ++end;
    }
    copy(end - at_);
    return ok();
  }

  Status escape() {
    if (at_ + 1 == source_.size()) return refuse("a backslash at the end");
    switch (source_[at_ + 1]) {
      case 's':
        return put_set("", kSpaceSet);
      case 'S':
        return put_set("^", kSpaceSet);
      case 'w':
        return put_set("", kWordSet);
      case 'W':
        return put_set("^", kWordSet);
      case 'h':
        return put_set("", kHexSet);
      case 'H':
        return put_set("^", kHexSet);
      case 'C':  // PCRE2: one byte, which would cut characters
      case 'g':  // calls of groups, where recursion begins
      case 'K':  // moves the beginning of the match
      case 'G':
      case 'Q':  // quotes; Oniguruma does not know it
        return refuse(std::string("\\") + source_[at_ + 1]);
      default:
        copy(2);
        return ok();
    }
  }

  Status put_set(std::string_view negation, std::string_view set) {
    if (!in_class_) {
      out_.append("[").append(negation).append(set).append("]");
    } else if (negation.empty()) {
      out_ += set;
    } else {
      return refuse("a negated \\S, \\W or \\H inside a class");
    }
    at_ += 2;
    return ok();
  }

  Status refuse(const std::string& what) const {
    return fail(Code::kUnsupported, "regular expression " + in_quotes(source_) + ": " + what +
                                        " at byte " + std::to_string(at_) + " is not supported");
  }

  bool peek(char c) const { return at_ < source_.size() && source_[at_] == c; }
  void copy(size_t bytes) {
    out_ += source_.substr(at_, bytes);
    at_ += bytes;
  }

  std::string_view source_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

}  // namespace

Result<std::string> translate_pattern(std::string_view expression) {
  return Translator(expression).run();
}

std::string escape_pattern(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                         (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
    if (!is_word) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace ovenbird
