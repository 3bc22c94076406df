// One HTTP request at a time, by libcurl. Redirects are answers here: whoever asked decides.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "hub/hub_settings.h"

namespace ovenbird {

struct HttpRequest {
  bool head_only = false;
  std::string url;
  std::string token;  // empty: none is sent
  uint64_t from = 0;  // the first byte that is wanted
};

struct HttpReply {
  long status = 0;                                          // 0: none came
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  uint64_t retry_after_s = 0;                               // as the server asks; 0: it does not
  std::string failure;    // why the transfer did not go to its end; empty: it did
  bool may_pass = false;  // with `failure`: another try may go better

  /// The value of a header; empty: it did not come.
  std::string header(const std::string& name) const;
};

/// Keeps its connections open from one request to the next. Belongs to one thread.
class HttpConnection {
 public:
  /// Bytes of an answer's body, with what came before them. False ends the transfer.
  using Sink = std::function<bool(const HttpReply&, std::span<const std::byte>)>;

  /// A transfer ends early, with a `failure`, once `stop` is set (within a second).
  HttpConnection(const HubSettings& settings, const std::atomic<bool>& stop);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Blocks until the answer is there. `sink` hears bodies of answers 200 and 206 only.
  HttpReply send(const HttpRequest& request, const Sink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ovenbird
