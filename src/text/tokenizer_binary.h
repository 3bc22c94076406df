// The compact form of a tokenizer's description, as a bundle keeps it: tokenizer.ovenbird.
//
// All numbers are little-endian; every list is a u32 count and then its entries; every text is a
// u32 count of bytes and then the bytes. Version 1:
//
//   magic            8 bytes  "OVBTOKEN"
//   version          u32      1; a reader refuses any other
//   form             u8       0 byte-level, 1 SentencePiece
//   switches         u8       bit 0 fuses_unknown, 1 ignores_merges, 2 strips_first_space
//   tokens           u32 vocabulary V, then u32 [V] where the text of each token ends, then the
//                    bytes of all texts
//   flags            u8 [V]   TokenFlags
//   byte_ids         i32 [256]; -1 = none
//   merges           list of  i32 left, right, result, rank
//   added            list of  i32 id, text, u8 bits: 0 special, 1 eats_space_left,
//                             2 eats_space_right, 3 normalized, 4 single_word
//   normalizers      list of  u8 kind, text pattern, text text
//   pre_tokenizers   list of  u8 kind, text pattern, u8 behavior, u8 bits: 0 inverted,
//                             1 cuts_words, u8 prepend
//   unknown, bos, eos  i32 each; -1 = none
//   prefix_ids, suffix_ids, end_ids  lists of i32
//   chat_template    text
//
// Nothing follows. Goals: read within milliseconds, and no byte trusted. Not goals: to be small, or
// to be read by anything else.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "ovenbird/result.hpp"
#include "text/tokenizer_spec.h"

namespace ovenbird {

inline constexpr uint32_t kTokenizerBinaryVersion = 1;

std::string serialize_tokenizer(const TokenizerSpec& spec);

/// Reads what serialize_tokenizer wrote. Allocates no more than the bytes really hold.
/// Errors: kCorrupt, the bytes break the format or check(spec) fails; kUnsupported, another
/// version.
Result<TokenizerSpec> parse_tokenizer(std::span<const std::byte> bytes);

}  // namespace ovenbird
