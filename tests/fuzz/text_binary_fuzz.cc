// Fuzz: any bytes as a tokenizer.bin; what loads must encode, decode and be written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "text/tokenizer.h"
#include "text/tokenizer_binary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  Result<TokenizerSpec> spec = parse_tokenizer(std::as_bytes(std::span(data, size)));
  if (!spec) return 0;
  const std::string written = serialize_tokenizer(*spec);
  if (!parse_tokenizer(std::as_bytes(std::span(written)))) std::abort();
  const Result<Tokenizer> tokenizer = Tokenizer::create(std::move(*spec));
  if (!tokenizer) return 0;
  const auto ids = tokenizer->encode("Hello  w\xC3\xB6rld <s>123\n", SpecialText::kIsToken);
  if (ids) tokenizer->decode(*ids, SpecialTokens::kShown);
  return 0;
}
