// The tokenizer that a command works with.
#pragma once

#include <optional>
#include <string>

#include "bundle/bundle.h"
#include "ovenbird/result.hpp"
#include "text/tokenizer.h"

namespace ovenbird {

/// The tokenizer of a bundle. `other` names another one: a directory with a tokenizer.json, a
/// bundle, or a hub id in the local cache.
/// Errors: kNotFound (there is none; says what to do), kCorrupt, kUnsupported, kIo.
Result<Tokenizer> open_tokenizer(const Bundle& bundle, const std::optional<std::string>& other);

}  // namespace ovenbird
