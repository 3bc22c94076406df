// Fuzz: any text through fixed tokenizers; no id is out of range, no special token out of user
// text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fuzz_tokenizers.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Tokenizer& tokenizer = fuzz_tokenizer_of((data[0] & 1) != 0);
  const size_t middle = text.size() / 2;
  const TextRange user{.first = middle, .end = text.size()};
  const auto mixed = tokenizer.encode(text, {&user, user.end > user.first ? 1u : 0u});
  const auto plain = tokenizer.encode(text, SpecialText::kIsText);
  if (!mixed || !plain) std::abort();
  for (const int32_t id : *mixed) {
    if (id < 0 || static_cast<size_t>(id) >= tokenizer.vocabulary_size()) std::abort();
  }
  if (!is_utf8(tokenizer.decode(*mixed, SpecialTokens::kShown))) std::abort();
  return 0;
}
