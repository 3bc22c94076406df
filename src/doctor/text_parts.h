// Lines, words and numbers of texts that may be anything.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ovenbird {

/// The lines of a text, without their ends. They live as long as the text does.
std::vector<std::string_view> lines_of(std::string_view text);

/// The words of a text, between any of `separators`.
std::vector<std::string_view> words_of(std::string_view text, std::string_view separators = " \t");

/// `text` without blanks at both ends.
std::string_view trimmed(std::string_view text);

/// What stands behind the first "KEY" + `separator` at the beginning of a line; empty: nothing.
std::string_view value_of(std::string_view text, std::string_view key, char separator);

/// A number that is not negative, with nothing behind it; -1 if it is none.
int64_t number_in(std::string_view text, int base = 10);

}  // namespace ovenbird
