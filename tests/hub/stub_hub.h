// A hub on loopback for one test: repositories that the test fills, faults that it orders.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hub/fetch_model.h"
#include "support/temporary_directory.h"

namespace ovenbird {

/// One request that the hub, or the store that it redirects to, has seen.
struct SeenRequest {
  std::string host;  // "hub" or "store"
  std::string method;
  std::string path;
  std::string range;
  std::string token;  // the Authorization header
};

class StubHub {
 public:
  /// Starts tests/hub/stub_hub.py. `certificate`: a file with key and certificate, for https.
  explicit StubHub(const std::string& certificate = "");
  StubHub(const StubHub&) = delete;
  StubHub& operator=(const StubHub&) = delete;
  ~StubHub();

  /// Adds a file to a repository, for example ("Org/Tiny", "config.json", "{}"). The commit changes
  /// with it.
  void add(const std::string& repository, const std::string& file, std::string_view bytes) const;
  /// A model of one file of weights, with what else bake reads and a few files that it does not.
  void add_model(const std::string& repository, std::string_view weights) const;
  /// What goes wrong from now on: a list as stub_hub.py explains it.
  void order(const nlohmann::json& rules) const;

  const std::string& url() const { return url_; }
  std::vector<SeenRequest> seen() const;
  /// Those for bytes of `file`; without the redirects that lead to them.
  std::vector<SeenRequest> downloads_of(const std::string& file) const;

 private:
  TemporaryDirectory directory_;
  std::string url_;
  pid_t process_ = -1;
  int input_ = -1;  // closed: the stub ends
};

/// A cache of its own for one test, and quick settings: no wait above a few milliseconds, and a
/// second without bytes is a stall.
struct TestCache {
  explicit TestCache(const StubHub& hub);

  Result<FetchedModel> fetch(const std::string& name);
  /// The bytes of a file of the only snapshot; "" if it is not there.
  std::string file(const std::string& name) const;
  /// Files below the model's folder, as relative paths; the partial ones too.
  std::vector<std::string> paths(const std::string& folder) const;
  bool has_partial_file() const;

  TemporaryDirectory directory;
  HubSettings settings;
  std::function<bool(const FetchProgress&)> progress = [](const FetchProgress&) { return true; };
};

/// `count` bytes that differ from place to place.
std::string varied_bytes(size_t count, uint32_t seed = 1);

}  // namespace ovenbird
