// Each stop string is followed by itself, byte by byte; the longest beginning seen is held back.
#include "text/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace ovenbird {
namespace {

Failure refuse(size_t index, const std::string& seen) {
  return fail(Code::kInvalidArgument,
              "set stop string " + std::to_string(index) + ": " + seen + "; accepted: 1 to " +
                  std::to_string(limits::kStopStringBytesMax) + " bytes of UTF-8");
}

bool continues_character(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

Result<StopStrings> StopStrings::create(std::vector<std::string> strings) {
  if (strings.size() > limits::kStopStringsMax) {
    return fail(Code::kInvalidArgument, "set " + std::to_string(strings.size()) +
                                            " stop strings; accepted: at most " +
                                            std::to_string(limits::kStopStringsMax));
  }
  std::vector<Pattern> patterns;
  for (size_t i = 0; i < strings.size(); ++i) {
    const std::string& text = strings[i];
    if (text.empty()) return refuse(i, "it is empty");
    if (text.size() > limits::kStopStringBytesMax) {
      return refuse(i, "it has " + std::to_string(text.size()) + " bytes");
    }
    if (continues_character(text[0])) return refuse(i, "it begins in the middle of a character");
    patterns.push_back(make_pattern(text));
  }
  return StopStrings(std::move(patterns));
}

StopStrings::StopStrings(std::vector<Pattern> patterns) : patterns_(std::move(patterns)) {
  size_t longest = 0;
  for (const Pattern& pattern : patterns_) longest = std::max(longest, pattern.text.size());
  held_.reserve(longest);
}

StopStrings::Passed StopStrings::feed(std::string_view piece) {
  if (stopped_) return {};
  passed_.swap(held_);
  held_.clear();
  for (const char byte : piece) {
    passed_ += byte;
    std::optional<size_t> found;
    for (size_t i = 0; i < patterns_.size(); ++i) {
      if (!advance(patterns_[i], byte)) continue;
      if (!found || patterns_[i].text.size() > patterns_[*found].text.size()) found = i;
    }
    if (found) {
      stopped_ = true;
      passed_.resize(passed_.size() - patterns_[*found].text.size());
      return {passed_, found};
    }
  }
  size_t held = 0;
  for (const Pattern& pattern : patterns_) held = std::max<size_t>(held, pattern.matched);
  held_.assign(passed_, passed_.size() - held);
  passed_.resize(passed_.size() - held);
  return {passed_, std::nullopt};
}

std::string_view StopStrings::finish() {
  if (stopped_) {
    reset();
    return {};
  }
  passed_ = held_;
  reset();
  return passed_;
}

void StopStrings::reset() {
  for (Pattern& pattern : patterns_) pattern.matched = 0;
  held_.clear();
  stopped_ = false;
}

StopStrings::Pattern StopStrings::make_pattern(std::string text) {
  // fallback[i] is the length of the longest proper beginning of `text` that is also an end of its
  // first i + 1 bytes: what still matches when the byte after those does not.
  Pattern pattern{std::move(text), {}, 0};
  pattern.fallback.assign(pattern.text.size(), 0);
  for (size_t i = 1; i < pattern.text.size(); ++i) {
    uint32_t length = pattern.fallback[i - 1];
    while (length > 0 && pattern.text[length] != pattern.text[i]) {
      length = pattern.fallback[length - 1];
    }
    if (pattern.text[length] == pattern.text[i]) ++length;
    pattern.fallback[i] = length;
  }
  return pattern;
}

bool StopStrings::advance(Pattern& pattern, char byte) {
  while (pattern.matched > 0 && pattern.text[pattern.matched] != byte) {
    pattern.matched = pattern.fallback[pattern.matched - 1];
  }
  if (pattern.text[pattern.matched] == byte) ++pattern.matched;
  return pattern.matched == pattern.text.size();
}

}  // namespace ovenbird
