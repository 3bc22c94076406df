// What a GGUF file says about its tokenizer: filled by checkpoint/, understood by text/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ovenbird {

/// The `tokenizer.*` metadata as it stands in the file; only the types have been checked.
struct GgufVocabulary {
  std::string model;                // "gpt2" (byte-level BPE) or "llama" (SentencePiece-style)
  std::string pre;                  // names the pre-tokenizer's regular expressions; may be empty
  std::vector<std::string> tokens;  // index = token id
  std::vector<int32_t> types;       // 1 normal, 2 unknown, 3 control, 4 user, 5 unused, 6 byte
  std::vector<float> scores;        // "llama" only
  std::vector<std::string> merges;  // "gpt2" only: "left right"
  std::string chat_template;        // Jinja; empty = none
  std::optional<int64_t> bos_id, eos_id, unknown_id, padding_id, eot_id, eom_id;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
};

}  // namespace ovenbird
