// How people name a model of a hub, and which names out of a hub are taken at all.
#pragma once

#include <string>
#include <string_view>

#include "ovenbird/result.hpp"

namespace ovenbird {

inline constexpr char kMainRevision[] = "main";

struct ModelName {
  std::string id;        // "OWNER/NAME", or "NAME"
  std::string revision;  // branch, tag or commit; empty: main
  std::string file;      // a GGUF of the repository; empty: the model's own files

  /// "OWNER/NAME@REVISION:FILE", as it may be typed again.
  std::string text() const;
};

/// Whether `text` is meant as a model of a hub: "NAME", "OWNER/NAME", with "@REVISION" or ":FILE".
/// A path is none, even if there is nothing at it.
bool is_model_name(std::string_view text);

/// Takes such a name apart. Errors: kInvalidArgument.
Result<ModelName> parse_model_name(std::string_view text);

/// Fit for a path below refs/: no "..", no empty or hidden part.
bool is_revision(std::string_view text);

/// A relative path, no part of which is empty, "." or "..", without control characters.
bool is_repository_path(std::string_view text);

/// Hexadecimal digits, as many as a commit has: 40 (SHA-1), or 64.
bool is_commit(std::string_view text);

/// Fit for a file's name in blobs/.
bool is_etag(std::string_view text);

}  // namespace ovenbird
