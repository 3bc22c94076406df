// One file of a repository, from the hub into the cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "hub/hub_cache.h"
#include "hub/hub_client.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct FileToGet {
  std::string name;
  FileFacts facts;
};

/// What all downloads of one run share.
struct DownloadPlace {
  const HubSettings& settings;
  const ModelName& model;
  const HubCache& cache;
  std::string commit;
  const std::atomic<bool>& stop;
  std::atomic<int64_t>& bytes_come;  // from the hub, in this run; goes back when a file begins anew
};

/// Gets `file` and puts it into the snapshot, unless its blob is there already. What has come
/// stays when it is not all: the next run goes on from there. Blocks, perhaps on other programs
/// that get the same blob.
/// Errors: kIo, kNotFound, kCorrupt, kInterrupted; nothing half-written has a final name then.
Status download_file(HubClient& client, const DownloadPlace& place, const FileToGet& file);

/// Bytes of `file` that are not in the cache yet.
uint64_t missing_bytes(const HubCache& cache, const FileToGet& file);

}  // namespace ovenbird
