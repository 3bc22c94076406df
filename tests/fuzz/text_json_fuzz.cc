// Fuzz: any bytes as a tokenizer.json; what loads must encode and decode.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "heap_bound.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const HeapBound bound(size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\0');  // what follows a NUL is tokenizer_config.json
  Result<TokenizerSpec> spec = tokenizer_spec_from_json(
      text.substr(0, cut), cut == std::string_view::npos ? "" : text.substr(cut + 1));
  if (!spec) return 0;
  const Result<Tokenizer> tokenizer = Tokenizer::create(std::move(*spec));
  if (!tokenizer) return 0;
  const auto ids = tokenizer->encode("Hello  w\xC3\xB6rld <s>123\n", SpecialText::kIsToken);
  if (ids) tokenizer->decode(*ids, SpecialTokens::kShown);
  return 0;
}
