// The text side of a bundle: its tokenizer, its chat template, and what ends an answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/chat_messages.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace ovenbird::client {

/// Immutable; any thread. A bundle may lack a tokenizer, and a tokenizer a template: then what
/// needs them is kNotFound.
class ModelText {
 public:
  /// Errors: those of Bundle::open, MappedFile::open, parse_tokenizer, Tokenizer::create.
  static Result<ModelText> open(const std::string& bundle);

  struct How {
    bool begins = false;      // put before it what stands before a text that stands alone
    bool is_trusted = false;  // names of special tokens are tokens
  };
  Result<std::vector<int32_t>> tokenize(std::string_view text, How how) const;
  Result<std::string> detokenize(std::span<const int32_t> tokens) const;
  Result<std::vector<int32_t>> chat(const ChatTexts& texts) const;

  const Tokenizer* tokenizer() const { return tokenizer_.get(); }  // null: there is none
  bool has_chat() const { return chat_ && chat_->has_value(); }
  const std::array<std::byte, 32>& digest() const { return digest_; }  // of the bundle
  const std::vector<int32_t>& end_ids() const { return end_ids_; }     // at most wire::kEndIdsMax

 private:
  ModelText() = default;
  Status has_text(const char* step) const;

  std::string bundle_;
  std::array<std::byte, 32> digest_{};
  std::unique_ptr<const Tokenizer> tokenizer_;  // at a fixed address: streams refer to it
  std::optional<Result<ChatTemplate>> chat_;    // none: there is none. One that cannot be used
                                                // hinders only who wants to use it
  std::vector<int32_t> end_ids_;
};

}  // namespace ovenbird::client
