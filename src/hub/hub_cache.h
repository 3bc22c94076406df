// The cache that all programs of the Hugging Face hub share: the one place that knows its layout.
//
//   models--OWNER--NAME/blobs/ETAG               the bytes, each once
//   models--OWNER--NAME/snapshots/COMMIT/FILE    a relative link to them
//   models--OWNER--NAME/refs/REVISION            the commit that a branch or tag was last
//   .locks/models--OWNER--NAME/ETAG.lock         held (flock) by who writes that blob
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hub/model_name.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// One model's part of the cache. Nothing needs to be there yet.
class HubCache {
 public:
  /// `id` has passed is_model_name(), as have etags, commits and files below their own checks.
  HubCache(std::filesystem::path root, const std::string& id);

  const std::filesystem::path& root() const { return root_; }
  const std::filesystem::path& model() const { return model_; }
  std::filesystem::path blobs() const { return model_ / "blobs"; }
  std::filesystem::path blob(const std::string& etag) const { return blobs() / etag; }
  std::filesystem::path incomplete(const std::string& etag) const;
  std::filesystem::path lock(const std::string& etag) const;
  std::filesystem::path snapshot(const std::string& commit) const;

  /// The commit that `revision` was when it was last asked for; a commit is itself. None: unknown.
  std::optional<std::string> commit_of(const std::string& revision) const;

  /// Names of the files whose bytes are there, as the repository names them. At most
  /// limits::kHubFilesMax.
  std::vector<std::string> files(const std::string& commit) const;

  /// Makes the folders that blobs and locks lie in. Errors: kIo.
  Status make_folders() const;
  /// Makes `file` of a snapshot the blob `etag`, in one step, over whatever stood there.
  Status link(const std::string& commit, const std::string& file, const std::string& etag) const;
  /// Notes what `revision` is now, in one step. Errors: kIo.
  Status note_revision(const std::string& revision, const std::string& commit) const;

 private:
  std::filesystem::path root_;
  std::string folder_;  // "models--OWNER--NAME"
  std::filesystem::path model_;
};

}  // namespace ovenbird
