// Which hub, which cache, which token: what huggingface_hub's environment variables say.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// How often a request is sent again. Waits double from `first_wait` to `longest_wait`, and each
/// is shortened by chance to as little as half, so that many programs do not come back at once.
struct RetryPolicy {
  uint32_t tries = 8;          // in a row without progress
  uint32_t listing_tries = 3;  // of the first request: a cache may do instead
  std::chrono::milliseconds first_wait{500};
  std::chrono::milliseconds longest_wait{30'000};
};

struct HubSettings {
  std::string endpoint = "https://huggingface.co";  // without a slash at its end
  std::filesystem::path cache;
  std::string token;         // empty: none. Never in a message
  std::string certificates;  // a file of authorities to trust; empty: the system's
  bool offline = false;
  std::string user_agent = "ovenbird";
  uint32_t files_at_once = 4;
  std::chrono::seconds connect_time_max{15};
  std::chrono::seconds stall_time_max{30};  // with hardly a byte
  RetryPolicy retry;
};

/// From HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_TOKEN, HF_TOKEN_PATH (or the file
/// `token` in HF_HOME), HF_HUB_OFFLINE, HF_HUB_DISABLE_IMPLICIT_TOKEN, SSL_CERT_FILE, and the older
/// names that huggingface_hub knows too.
/// Errors: kInvalidArgument: a value that cannot be meant; the message names the variable.
Result<HubSettings> hub_settings();

}  // namespace ovenbird
