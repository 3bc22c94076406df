// Puts a vocabulary together: texts as a file writes them in, tokens and resolved merges out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/tokenizer_spec.h"

namespace ovenbird {

/// The texts as they stand in the file, by id. The strings behind the views must outlive it.
class Vocabulary {
 public:
  /// Room for ids below `size`, all without text.
  explicit Vocabulary(size_t size) : texts_(size), in_model_(size) {}

  size_t size() const { return texts_.size(); }
  bool has(int32_t id) const { return texts_[id].has_value(); }
  std::string_view text(int32_t id) const { return texts_[id].value_or(std::string_view()); }
  bool is_in_model(int32_t id) const { return in_model_[id]; }

  /// `is_in_model`: the BPE may produce the token. The first of equal texts is the one found.
  void put(int32_t id, std::string_view text, bool is_in_model);

  /// The token of the model with this text, or -1.
  int32_t find(std::string_view text) const;

  /// Appends the merge of two texts. Errors: kCorrupt, one of the three is not in the vocabulary.
  Status add_merge(std::string_view left, std::string_view right, std::vector<Merge>& merges) const;

  struct Reading {
    bool falls_back_to_bytes = false;  // kSentencePiece: unknown characters become "<0x0A>" tokens
    bool decodes_byte_tokens = false;  // ... and those are shown as bytes
  };
  /// Fills tokens, flags and byte_ids of `spec`, whose form is set.
  void fill(TokenizerSpec& spec, const Reading& reading) const;

 private:
  std::vector<std::optional<std::string_view>> texts_;
  std::vector<bool> in_model_;
  std::unordered_map<std::string_view, int32_t> ids_;
};

/// The byte that a SentencePiece token like "<0x0A>" stands for.
std::optional<uint8_t> byte_of_token(std::string_view text);

}  // namespace ovenbird
