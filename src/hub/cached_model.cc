// Looks for a model in the shared cache.
#include "hub/cached_model.h"

#include "base/limits.h"
#include "base/mapped_file.h"
#include "base/message_text.h"
#include "hub/file_choice.h"

namespace ovenbird {

std::filesystem::path source_path(const HubCache& cache, const ModelName& model,
                                  const std::string& commit) {
  const std::filesystem::path snapshot = cache.snapshot(commit);
  return model.file.empty() ? snapshot : snapshot / model.file;
}

Result<std::vector<std::string>> indexed_weights(const HubCache& cache, const std::string& commit,
                                                 const std::string& index,
                                                 const std::vector<std::string>& names) {
  if (index.empty()) return std::vector<std::string>();
  const auto file = MappedFile::open(cache.snapshot(commit) / index);
  if (!file) return Failure{file.error()};
  const auto bytes = file->bytes();
  if (bytes.size() > limits::kIndexBytesMax) {
    return fail(Code::kCorrupt, index + " has " + std::to_string(bytes.size()) +
                                    " bytes; read: " + std::to_string(limits::kIndexBytesMax));
  }
  return shards_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, names);
}

Result<std::filesystem::path> find_cached_files(const HubCache& cache, const ModelName& model) {
  const std::string revision = model.revision.empty() ? kMainRevision : model.revision;
  const auto commit = cache.commit_of(revision);
  if (!commit || cache.files(*commit).empty()) {
    return fail(Code::kNotFound,
                cache.model().string() + " has no snapshot of its revision " + in_quotes(revision));
  }
  const std::filesystem::path path = source_path(cache, model, *commit);
  std::error_code error;
  if (std::filesystem::exists(path, error)) return path;
  return fail(Code::kNotFound,
              cache.snapshot(*commit).string() + " has no " + in_quotes(model.file));
}

Result<std::filesystem::path> find_cached_model(const HubCache& cache, const ModelName& model) {
  auto path = find_cached_files(cache, model);
  if (!path) return path;
  const std::string commit =
      *cache.commit_of(model.revision.empty() ? kMainRevision : model.revision);
  const std::vector<std::string> names = cache.files(commit);
  const auto choice = choose_files(names, model);
  if (!choice) return fail_in(cache.snapshot(commit).string(), choice.error());
  const auto shards = indexed_weights(cache, commit, choice->index, names);
  if (!shards) return fail_in(cache.snapshot(commit).string(), shards.error());
  return path;
}

}  // namespace ovenbird
