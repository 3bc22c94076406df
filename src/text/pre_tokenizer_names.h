// GGUF files only name their pre-tokenizer; this says what the names mean.
#pragma once

#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/tokenizer_spec.h"

namespace ovenbird {

struct NamedPreTokenizer {
  std::vector<PreTokenizerStep> steps;
  bool ignores_merges = false;
  bool composes = false;  // text is brought to NFC first
  bool adds_bos = false;  // if the file does not say
};

/// The meaning of `tokenizer.ggml.pre`. Errors: kUnsupported, with the names that are known: a
/// wrong guess would give wrong tokens without a sign of it.
Result<NamedPreTokenizer> pre_tokenizer_of(std::string_view name);

}  // namespace ovenbird
