// Fuzz: any ids as a stream; every piece is whole characters, and byte-level gives decode()'s text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "fuzz_tokenizers.h"
#include "text/stream_decoder.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  if (size == 0) return 0;
  const bool is_byte_level = (data[0] & 1) != 0;
  const Tokenizer& tokenizer = fuzz_tokenizer_of(is_byte_level);
  StreamDecoder stream(tokenizer, SpecialTokens::kHidden, StreamDecoder::Position::kStartOfText);
  std::vector<int32_t> ids;
  std::string shown;
  for (size_t i = 1; i + 1 < size; i += 2) {
    ids.push_back((data[i] | data[i + 1] << 8) % 300 - 10);  // some are out of range
    const std::string text = stream.feed(ids.back());
    if (!is_utf8(text)) std::abort();
    shown += text;
  }
  shown += stream.finish();
  if (!is_utf8(shown)) std::abort();
  if (is_byte_level && shown != tokenizer.decode(ids, SpecialTokens::kHidden)) std::abort();
  return 0;
}
