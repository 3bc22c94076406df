// Byte-pair encoding of one piece of text: symbols first, then the merges in their order.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/merge_table.h"
#include "text/tokenizer_spec.h"

namespace ovenbird {

/// Working memory, for one thread at a time; 512 KiB, of which most is a cache of short pieces:
/// words come again and again.
class BpeScratch {
 private:
  friend class Bpe;

  struct CachedPiece {
    static constexpr size_t kBytesMax = 30;
    static constexpr size_t kIdsMax = 6;
    uint64_t hash = 0;
    uint8_t bytes = 0;  // 0 = nothing here
    uint8_t ids_count = 0;
    std::array<char, kBytesMax> text{};
    std::array<int32_t, kIdsMax> ids{};
  };
  static constexpr size_t kCacheEntries = 1 << 13;

  struct Candidate {
    int32_t rank, first, left, right, result;
  };

  std::vector<CachedPiece> cache_ = std::vector<CachedPiece>(kCacheEntries);
  std::vector<int32_t> symbols_;
  std::vector<int32_t> previous_, next_;  // the list of live symbols of a long piece
  std::vector<Candidate> heap_;
};

/// Immutable and shared by threads. Keeps a reference to the spec.
class Bpe {
 public:
  explicit Bpe(const TokenizerSpec& spec);

  /// Appends the tokens of a piece of valid UTF-8 to `ids`. Time grows with n log n.
  void encode(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& ids) const;

 private:
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& ids) const;
  void split_to_symbols(std::string_view word, std::vector<int32_t>& symbols) const;
  int32_t character_id(std::string_view character) const;
  bool append_bytes(std::string_view character, std::vector<int32_t>& symbols) const;
  void merge_few(std::vector<int32_t>& symbols) const;
  void merge_many(BpeScratch& scratch, std::vector<int32_t>& ids) const;
  void push_candidate(BpeScratch& scratch, int32_t first, int32_t second) const;
  int32_t word_id(std::string_view word) const;
  void index_characters();
  void index_words();
  bool can_cut_before_spaces() const;

  const TokenizerSpec& spec_;
  MergeTable merges_;
  std::vector<int32_t> basic_characters_;                   // [65536], token id or -1
  std::unordered_map<char32_t, int32_t> other_characters_;  // above U+FFFF
  std::vector<int32_t> words_;  // hash table of token ids, if merges may be ignored; -1 = empty
  bool cuts_before_spaces_ = false;
};

}  // namespace ovenbird
