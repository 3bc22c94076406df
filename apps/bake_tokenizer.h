// The files of a bundle that hold its tokenizer.
#pragma once

#include <optional>
#include <vector>

#include "bake/bake.h"
#include "checkpoint/checkpoint.h"
#include "ovenbird/result.hpp"
#include "text/tokenizer.h"

namespace ovenbird {

struct BakedTokenizer {
  std::vector<ExtraFile> files;  // empty: the source has no tokenizer
  size_t vocabulary = 0;         // ids are below it
  std::optional<Tokenizer> tokenizer;
};

/// The tokenizer in its binary form, the chat template, and the source's own tokenizer files as
/// they are. The tokenizer is compiled once, so that a broken one is found now. Errors: kCorrupt,
/// kUnsupported: the source has a tokenizer that cannot be used.
Result<BakedTokenizer> bake_tokenizer(const Checkpoint& checkpoint);
Result<BakedTokenizer> bake_tokenizer(const TokenizerFiles& files);

}  // namespace ovenbird
