// Several downloads at once: a few threads, each with a connection of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "hub/hub_client.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

class DownloadCrew {
 public:
  using Work = std::function<Status(HubClient&, size_t index)>;

  /// `settings`, `model` and `stop` outlive it.
  DownloadCrew(const HubSettings& settings, const ModelName& model, std::atomic<bool>& stop);

  /// Does `work` for every index below `count`, in any order, on settings.files_at_once threads.
  /// Asks `may_go_on` in this thread every tenth of a second and once at the end. After the first
  /// failure, or once it says no, everything is stopped; blocks until all is.
  /// Errors: the first of `work`; kInterrupted.
  Status run(size_t count, const Work& work, const std::function<bool()>& may_go_on);

 private:
  std::atomic<bool>& stop_;
  std::vector<std::unique_ptr<HubClient>> clients_;
};

}  // namespace ovenbird
