// The order of a download: listing, descriptions, index, weights, and last the revision's name.
#include "hub/fetch_model.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/message_text.h"
#include "hub/cached_model.h"
#include "hub/download_crew.h"
#include "hub/file_choice.h"
#include "hub/file_download.h"
#include "hub/hub_cache.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

// Beside the files: folders, links, and other programs that write at the same time.
constexpr uint64_t kSpareBytes = 16u << 20;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// One fetch_model() under way.
class Fetch {
 public:
  explicit Fetch(const FetchJob& job)
      : job_(job),
        cache_(job.settings.cache, job.model.id),
        crew_(job.settings, job.model, stop_) {}

  Result<FetchedModel> run();

 private:
  std::string revision() const {
    return job_.model.revision.empty() ? kMainRevision : job_.model.revision;
  }

  Result<HubListing> list();
  Result<FetchedModel> from_cache(const std::string& why_not_the_hub) const;
  bool needs_no_hub() const;
  Status get_files(const HubListing& listing);
  Status get_missing(const std::string& commit, const std::vector<std::string>& names,
                     uint64_t bytes_max);
  Result<std::vector<FileToGet>> ask_facts(const std::string& commit,
                                           const std::vector<std::string>& names);
  Status check_space(uint64_t bytes) const;
  bool report();

  const FetchJob& job_;
  std::atomic<bool> stop_ = false;
  HubCache cache_;
  DownloadCrew crew_;
  std::atomic<int64_t> bytes_come_ = 0;
  uint64_t bytes_total_ = 0;
  std::mutex mutex_;
  std::vector<FetchedFile> fetched_;  // guarded by mutex_; not reported yet
};

bool Fetch::report() {
  std::vector<FetchedFile> fetched;
  {
    const std::lock_guard lock(mutex_);
    fetched.swap(fetched_);
  }
  const auto come = static_cast<uint64_t>(std::max<int64_t>(bytes_come_, 0));
  return job_.progress({.bytes_come = come, .bytes_total = bytes_total_, .fetched = fetched});
}

Result<HubListing> Fetch::list() {
  Result<HubListing> listing = fail(Code::kInterrupted, "interrupted");
  const Status ran = crew_.run(
      1,
      [&](HubClient& client, size_t) {
        listing = client.list();
        return listing ? ok() : Status(Failure{listing.error()});
      },
      [&] { return report(); });
  if (!ran) return Failure{ran.error()};
  return listing;
}

Result<FetchedModel> Fetch::from_cache(const std::string& why_not_the_hub) const {
  auto path = find_cached_model(cache_, job_.model);
  if (!path) return Failure{path.error()};
  return FetchedModel{*std::move(path), why_not_the_hub};
}

/// A commit never changes. Another program may have left the tokenizer out, so that is looked for.
bool Fetch::needs_no_hub() const {
  if (!is_commit(job_.model.revision) || !find_cached_model(cache_, job_.model)) return false;
  return !job_.model.file.empty() ||
         is_there(cache_.snapshot(job_.model.revision) / "tokenizer.json");
}

Status Fetch::check_space(uint64_t bytes) const {
  struct statvfs disk {};
  if (::statvfs(cache_.blobs().c_str(), &disk) != 0) return ok();  // writing will tell
  const uint64_t free_bytes = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (bytes == 0 || bytes + kSpareBytes <= free_bytes) return ok();
  return fail(Code::kIo,
              std::to_string(bytes >> 20) + " MiB are to come and " +
                  std::to_string(free_bytes >> 20) + " MiB are free in " + cache_.root().string() +
                  "; make room there, or set HF_HUB_CACHE to a directory on another disk");
}

Result<std::vector<FileToGet>> Fetch::ask_facts(const std::string& commit,
                                                const std::vector<std::string>& names) {
  std::vector<FileToGet> files(names.size());
  const auto ask = [&](HubClient& client, size_t index) -> Status {
    auto facts = client.facts(commit, names[index]);
    if (!facts) return Failure{facts.error()};
    files[index] = {names[index], *std::move(facts)};
    return ok();
  };
  if (Status asked = crew_.run(names.size(), ask, [&] { return report(); }); !asked) {
    return Failure{asked.error()};
  }
  return files;
}

Status Fetch::get_missing(const std::string& commit, const std::vector<std::string>& names,
                          uint64_t bytes_max) {
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    if (!is_there(cache_.snapshot(commit) / name)) missing.push_back(name);
  }
  if (missing.empty()) return ok();
  const auto files = ask_facts(commit, missing);
  if (!files) return Failure{files.error()};
  if (Status made = cache_.make_folders(); !made) return made;
  uint64_t bytes = 0;
  for (const FileToGet& file : *files) {
    if (file.facts.size > bytes_max) {
      return fail(Code::kUnsupported, printable(file.name) + " has " +
                                          std::to_string(file.facts.size) +
                                          " bytes; accepted: " + std::to_string(bytes_max));
    }
    bytes += missing_bytes(cache_, file);
  }
  if (Status space = check_space(bytes); !space) return space;
  bytes_total_ += bytes;
  const DownloadPlace place{job_.settings, job_.model, cache_, commit, stop_, bytes_come_};
  const auto get = [&](HubClient& client, size_t index) -> Status {
    const FileToGet& file = (*files)[index];
    const bool is_new = missing_bytes(cache_, file) > 0;
    if (Status done = download_file(client, place, file); !done) return done;
    const std::lock_guard lock(mutex_);
    if (is_new) fetched_.push_back({file.name, file.facts.size});
    return ok();
  };
  return crew_.run(files->size(), get, [&] { return report(); });
}

Status Fetch::get_files(const HubListing& listing) {
  const auto choice = choose_files(listing.files, job_.model);
  if (!choice) return Failure{choice.error()};
  // The weights come last: where they are, all else is.
  if (Status got = get_missing(listing.commit, choice->small, limits::kJsonBytesMax); !got)
    return got;
  const auto shards = indexed_weights(cache_, listing.commit, choice->index, listing.files);
  if (!shards) return Failure{shards.error()};
  std::vector<std::string> weights = choice->weights;
  weights.insert(weights.end(), shards->begin(), shards->end());
  if (Status got = get_missing(listing.commit, weights, limits::kHubFileBytesMax); !got) return got;
  return cache_.note_revision(revision(), listing.commit);
}

Result<FetchedModel> Fetch::run() {
  if (job_.settings.offline) {
    auto found = from_cache("");
    if (found) return found;
    return fail(found.error().code, found.error().message +
                                        ", and HF_HUB_OFFLINE forbids to ask the hub; unset it, or "
                                        "put the model there");
  }
  if (needs_no_hub()) return from_cache("");
  const auto listing = list();
  if (!listing) {
    if (listing.error().code == Code::kInterrupted) return Failure{listing.error()};
    auto found = from_cache(listing.error().message);
    return found ? found : Result<FetchedModel>(Failure{listing.error()});
  }
  if (Status got = get_files(*listing); !got) return Failure{got.error()};
  return FetchedModel{source_path(cache_, job_.model, listing->commit), ""};
}

}  // namespace

Result<FetchedModel> fetch_model(const FetchJob& job) {
  auto fetched = Fetch(job).run();
  if (fetched) return fetched;
  if (fetched.error().code == Code::kInterrupted) {
    return fail(Code::kInterrupted, "download " + job.model.text() +
                                        ": interrupted; what has come is kept, run this again to "
                                        "go on");
  }
  return fail_in("download " + job.model.text(), fetched.error());
}

}  // namespace ovenbird
