// The normalizers of a tokenizer: NFC, a prefix, replacements of literal text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/tokenizer_spec.h"

namespace ovenbird {

/// Applies `steps` in order to valid UTF-8. Returns `text` itself if nothing changes it, else a
/// view of one of the two buffers, whose content may be overwritten. Errors: kUnsupported, if the
/// text would grow more than limits::kNormalizedGrowthMax times.
Result<std::string_view> normalize(const std::vector<NormalizerStep>& steps, std::string_view text,
                                   std::string& buffer, std::string& spare);

}  // namespace ovenbird
