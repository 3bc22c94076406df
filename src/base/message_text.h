// Text from outside, made fit for an error message.
#pragma once

#include <string>
#include <string_view>

namespace ovenbird {

/// `text` in printable ASCII: other bytes become \xNN; beyond 80 bytes "..." stands for the rest.
/// For names and values out of files.
std::string printable(std::string_view text);

/// printable(), in double quotes. (Not called `quoted`: std::quoted would be found beside it.)
std::string in_quotes(std::string_view text);

/// `message` on one line of valid UTF-8, at most 1,000 bytes: control characters and broken bytes
/// become \xNN. For whole messages, which may carry a path in any language.
std::string one_line(std::string_view message);

}  // namespace ovenbird
