// Paths of the shared cache, and the steps that change it.
#include "hub/hub_cache.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/limits.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::string models_folder(std::string id) {
  if (const size_t slash = id.find('/'); slash != id.npos) id.replace(slash, 1, "--");
  return "models--" + id;
}

Failure cannot(const std::string& what, const fs::path& path, const std::error_code& error) {
  return fail(Code::kIo, what + " " + path.string() + ": " + error.message());
}

/// A name beside `path` that no other process or thread uses.
fs::path beside(const fs::path& path) {
  return path.string() + "." + std::to_string(::getpid()) + "-" + std::to_string(::gettid()) +
         ".tmp";
}

}  // namespace

HubCache::HubCache(fs::path root, const std::string& id)
    : root_(std::move(root)), folder_(models_folder(id)), model_(root_ / folder_) {}

fs::path HubCache::incomplete(const std::string& etag) const {
  return blobs() / (etag + ".incomplete");
}

fs::path HubCache::lock(const std::string& etag) const {
  return root_ / ".locks" / folder_ / (etag + ".lock");
}

fs::path HubCache::snapshot(const std::string& commit) const {
  return model_ / "snapshots" / commit;
}

std::optional<std::string> HubCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  std::array<char, 80> bytes{};
  std::ifstream file(model_ / "refs" / revision);
  file.read(bytes.data(), bytes.size());
  std::string commit(bytes.data(), static_cast<size_t>(file.gcount()));
  while (commit.ends_with('\n') || commit.ends_with('\r')) commit.pop_back();
  if (!is_commit(commit)) return std::nullopt;
  return commit;
}

std::vector<std::string> HubCache::files(const std::string& commit) const {
  std::vector<std::string> names;
  const fs::path top = snapshot(commit);
  std::error_code error;
  fs::recursive_directory_iterator entries(top, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    std::error_code gone;  // a link without its blob
    if (!fs::is_regular_file(entries->path(), gone)) continue;
    if (names.size() == limits::kHubFilesMax) break;
    names.push_back(entries->path().lexically_relative(top).generic_string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status HubCache::make_folders() const {
  for (const fs::path& folder : {blobs(), lock("").parent_path()}) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return cannot("make", folder, error);
  }
  return ok();
}

Status HubCache::link(const std::string& commit, const std::string& file,
                      const std::string& etag) const {
  const fs::path link = snapshot(commit) / file;
  std::error_code error;
  fs::create_directories(link.parent_path(), error);
  if (error) return cannot("make", link.parent_path(), error);
  const fs::path target = blob(etag).lexically_relative(link.parent_path());
  const fs::path made = beside(link);
  fs::create_symlink(target, made, error);
  if (!error) fs::rename(made, link, error);
  if (!error) return ok();
  std::error_code ignored;
  fs::remove(made, ignored);
  return cannot("link", link, error);
}

Status HubCache::note_revision(const std::string& revision, const std::string& commit) const {
  if (revision == commit || commit_of(revision) == commit) return ok();
  const fs::path path = model_ / "refs" / revision;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return cannot("make", path.parent_path(), error);
  const fs::path made = beside(path);
  std::ofstream file(made, std::ios::binary | std::ios::trunc);
  file << commit;  // without a line end: huggingface_hub takes the whole file
  file.close();
  if (file) fs::rename(made, path, error);
  if (file && !error) return ok();
  std::error_code ignored;
  fs::remove(made, ignored);
  return cannot("write", path, error ? error : std::make_error_code(std::errc::io_error));
}

}  // namespace ovenbird
