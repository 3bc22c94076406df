// What a hub is asked, and what its answers mean.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hub/http_connection.h"
#include "hub/hub_listing.h"
#include "hub/hub_settings.h"
#include "hub/model_name.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// What the hub says of one file.
struct FileFacts {
  std::string etag;  // checked: is_etag
  uint64_t size = 0;

  bool operator==(const FileFacts&) const = default;
};

/// The end of a chain of redirects.
struct HubReply {
  HttpReply last;
  std::string url;     // of `last`
  std::string commit;  // these three: of the hub's own answers, not of a host it sent us to
  std::string etag;
  std::optional<uint64_t> size;
};

/// Asks for one model. Belongs to one thread.
class HubClient {
 public:
  using Sink = std::function<bool(const HubReply&, std::span<const std::byte>)>;

  /// `settings`, `model` and `stop` outlive it.
  HubClient(const HubSettings& settings, const ModelName& model, const std::atomic<bool>& stop)
      : settings_(settings), model_(model), stop_(stop), connection_(settings, stop) {}

  /// Which files the revision has. Tries as often as the settings say.
  /// Errors: kNotFound: no such model or revision, or one that may not be read; kIo; kCorrupt: no
  /// hub answered; kInterrupted.
  Result<HubListing> list();

  /// ETag and size of a file. Errors: as of list(); kIo: the hub now says that it is another
  /// commit.
  Result<FileFacts> facts(const std::string& commit, const std::string& file);

  /// One try to get a file from its byte `from` on. The token goes to the hub's own server only.
  HubReply get(const std::string& commit, const std::string& file, uint64_t from, const Sink& sink);

 private:
  HubReply follow(HttpRequest request, const Sink& sink);
  std::string file_url(const std::string& commit, const std::string& file) const;

  const HubSettings& settings_;
  const ModelName& model_;
  const std::atomic<bool>& stop_;
  HttpConnection connection_;
};

}  // namespace ovenbird
