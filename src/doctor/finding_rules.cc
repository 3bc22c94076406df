// What the rules of both files say about mending.
#include "doctor/finding_rules.h"

#include <algorithm>

#include "base/message_text.h"

namespace ovenbird {

std::string on_host(const MachineFacts& machine, std::string_view mend) {
  if (machine.surroundings.container.empty()) return std::string(mend);
  if (mend.starts_with("# ")) return "# on the host: " + std::string(mend.substr(2));
  return std::string(mend) + " # on the host";
}

std::string shell_word(std::string_view name) {
  const auto is_plain = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') ||
           std::string_view("/._-:+@%").find(letter) != std::string_view::npos;
  };
  if (!name.empty() && std::all_of(name.begin(), name.end(), is_plain)) return std::string(name);
  // What cannot be typed is shown, as everywhere.
  const bool can_be_typed = std::all_of(name.begin(), name.end(),
                                        [](char letter) { return letter >= ' ' && letter <= '~'; });
  std::string word = "'";
  for (const char letter : can_be_typed ? std::string(name) : printable(name)) {
    word += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  }
  return word + "'";
}

}  // namespace ovenbird
