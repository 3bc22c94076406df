// Two fixed small tokenizers, one of each form, for fuzzing what is done with them.
#pragma once

#include <array>
#include <cstdlib>
#include <string>

#include "text/tokenizer.h"

namespace ovenbird {

inline Tokenizer fuzz_tokenizer(TextForm form) {
  const std::string stages = form == TextForm::kByteLevel
                                 ? R"("normalizer":{"type":"NFC"},
               "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
               "decoder":{"type":"ByteLevel"},)"
                                 : R"("normalizer":{"type":"Sequence","normalizers":[
                 {"type":"Prepend","prepend":"\u2581"},
                 {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]},
               "decoder":{"type":"Sequence","decoders":[
                 {"type":"Replace","pattern":{"String":"\u2581"},"content":" "},
                 {"type":"ByteFallback"},{"type":"Fuse"},
                 {"type":"Strip","content":" ","start":1,"stop":0}]},)";
  std::string vocabulary = R"("a":0,"b":1,"ab":2,"abab":3,"\u0120":4,"\u2581":5,"<s>":6,"aa":7)";
  constexpr const char* kHex = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary += std::string(",\"<0x") + kHex[byte / 16] + kHex[byte % 16] +
                  ">\":" + std::to_string(8 + byte);
  }
  const std::string json =
      R"({"added_tokens":[{"id":6,"content":"<s>","special":true,"lstrip":true,"rstrip":true},
          {"id":264,"content":"<t>","special":false,"normalized":true,"single_word":true}],)" +
      stages + R"("model":{"type":"BPE","byte_fallback":true,"unk_token":"<s>","vocab":{)" +
      vocabulary + R"(},"merges":[["a","b"],["ab","ab"],["a","a"]]}})";
  Result<TokenizerSpec> spec = tokenizer_spec_from_json(json, R"({"bos_token":"<s>"})");
  if (!spec) std::abort();
  Result<Tokenizer> tokenizer = Tokenizer::create(std::move(*spec));
  if (!tokenizer) std::abort();
  return std::move(*tokenizer);
}

inline const Tokenizer& fuzz_tokenizer_of(bool is_byte_level) {
  static const std::array<Tokenizer, 2> tokenizers = {fuzz_tokenizer(TextForm::kSentencePiece),
                                                      fuzz_tokenizer(TextForm::kByteLevel)};
  return tokenizers[is_byte_level ? 1 : 0];
}

}  // namespace ovenbird
