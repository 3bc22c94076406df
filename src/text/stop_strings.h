// Finds the strings that end an answer in text that comes piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Passes text through until one of several strings stands in it, and cuts before that string.
///
/// What it does depends on the text alone, not on how it was cut into pieces: the string that is
/// complete first ends the text; of several that end at the same byte, the longest. Held back is
/// the longest end of the text that may become a stop string, and no byte more. If the pieces are
/// whole UTF-8 characters, so is what comes out.
///
/// Cost: a few operations for each byte and stop string. Not thread-safe.
class StopStrings {
 public:
  /// Errors: kInvalidArgument when there are more than kStopStringsMax, or one is empty, longer
  /// than kStopStringBytesMax, or begins in the middle of a UTF-8 character.
  static Result<StopStrings> create(std::vector<std::string> strings);

  struct Passed {
    std::string_view text;             // may go out now; valid until the next call
    std::optional<size_t> stopped_by;  // index of the stop string that was found
  };

  /// Takes the next piece. After a stop string was found, nothing passes until reset().
  Passed feed(std::string_view piece);

  /// The text is over: what was held back may go out, and a new text begins. Valid until the next
  /// call.
  std::string_view finish();

  /// Begins a new text.
  void reset();

  size_t held_bytes() const { return held_.size(); }

 private:
  /// One string, searched for by Knuth, Morris and Pratt's method.
  struct Pattern {
    std::string text;
    std::vector<uint32_t> fallback;  // [i]: bytes that still match after byte i did not, see .cc
    uint32_t matched = 0;            // bytes of `text` that the end of the input equals
  };

  explicit StopStrings(std::vector<Pattern> patterns);
  static Pattern make_pattern(std::string text);
  static bool advance(Pattern& pattern, char byte);

  std::vector<Pattern> patterns_;
  std::string held_;  // the input's end that may be the beginning of a stop string
  std::string passed_;
  bool stopped_ = false;
};

}  // namespace ovenbird
