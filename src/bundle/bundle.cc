// Opening a bundle: cheap checks first, hashes on demand.
#include "bundle/bundle.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "base/mapped_file.h"
#include "base/sha256.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHashedAtOnce = 16 << 20;  // bytes; bounds what verify() keeps in memory

Status check_sizes(const fs::path& directory, const Manifest& manifest) {
  for (const FileInfo& file : manifest.files) {
    std::error_code error;
    const uint64_t bytes = fs::file_size(directory / file.name, error);
    if (error) {
      return fail(Code::kCorrupt, "open bundle " + directory.string() + ": " + file.name + ": " +
                                      error.message() + "; bake again or copy it again");
    }
    if (bytes != file.bytes) {
      return fail(Code::kCorrupt, "open bundle " + directory.string() + ": " + file.name + " has " +
                                      std::to_string(bytes) + " bytes, the manifest says " +
                                      std::to_string(file.bytes) + "; bake again or copy it again");
    }
  }
  return ok();
}

/// The engine opens these by name: they must be among the files whose sizes were checked.
Status check_listed(const fs::path& directory, const Manifest& manifest) {
  std::vector<std::string> needed = {kWeightsName};
  for (const GraphInfo& graph : manifest.graphs) needed.push_back(graph.file);
  for (const std::string& name : needed) {
    const auto same = [&](const FileInfo& file) { return file.name == name; };
    if (!std::any_of(manifest.files.begin(), manifest.files.end(), same)) {
      return fail(Code::kCorrupt, "open bundle " + directory.string() + ": " + name +
                                      " is not among the manifest's files; bake again");
    }
  }
  return ok();
}

}  // namespace

Result<Bundle> Bundle::open(const fs::path& path) {
  std::error_code ignored;
  const bool names_graph = path.extension() == ".xml" && !fs::is_directory(path, ignored);
  const fs::path directory = names_graph ? path.parent_path() : path;
  const fs::path manifest_path = (directory.empty() ? fs::path(".") : directory) / kManifestName;
  const Result<MappedFile> file = MappedFile::open(manifest_path);
  if (!file) {
    if (file.error().code != Code::kNotFound) return fail_in("open bundle", file.error());
    return fail(Code::kNotFound, "open bundle " + path.string() + ": no " + kManifestName +
                                     " there; `ovenbird bake SOURCE -o DIR` makes a bundle");
  }
  const std::span<const std::byte> bytes = file->bytes();
  Result<Manifest> manifest =
      parse_manifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!manifest) return fail_in("open bundle " + path.string(), manifest.error());
  Bundle bundle(manifest_path.parent_path(), std::move(*manifest));
  if (Status sizes = check_sizes(bundle.directory_, bundle.manifest_); !sizes) {
    return Failure{sizes.error()};
  }
  if (Status listed = check_listed(bundle.directory_, bundle.manifest_); !listed) {
    return Failure{listed.error()};
  }
  return bundle;
}

Status Bundle::verify() const {
  for (const FileInfo& info : manifest_.files) {
    const Result<MappedFile> file = MappedFile::open(directory_ / info.name);
    if (!file) return fail_in("verify bundle", file.error());
    Sha256 hash;
    std::span<const std::byte> rest = file->bytes();
    while (!rest.empty()) {
      const auto part = rest.first(std::min(rest.size(), kHashedAtOnce));
      hash.add(part);
      file->release(part);
      rest = rest.subspan(part.size());
    }
    if (hash.finish() != info.sha256) {
      return fail(Code::kCorrupt, "verify bundle " + directory_.string() + ": the SHA-256 of " +
                                      info.name + " is not the manifest's; bake again");
    }
  }
  return ok();
}

Result<std::array<std::byte, 32>> Bundle::digest() const {
  const Result<MappedFile> manifest = MappedFile::open(file(kManifestName));
  if (!manifest) return Failure{manifest.error()};
  Sha256 hash;
  hash.add(manifest->bytes());
  const std::string digits = hash.finish();
  std::array<std::byte, 32> digest{};
  for (size_t i = 0; i < digest.size(); ++i) {
    uint8_t byte = 0;
    std::from_chars(&digits[2 * i], &digits[2 * i] + 2, byte, 16);
    digest[i] = std::byte{byte};
  }
  return digest;
}

}  // namespace ovenbird
