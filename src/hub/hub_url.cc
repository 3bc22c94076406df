// Addresses by libcurl's parser, the one that the transfers use too.
#include "hub/hub_url.h"

#include <curl/curl.h>

#include <memory>

namespace ovenbird {
namespace {

constexpr unsigned kWithoutUser = CURLU_DISALLOW_USER;

/// An address taken apart. Invalid ones have no parts.
class Url {
 public:
  explicit Url(const std::string& text) : handle_(curl_url(), curl_url_cleanup) {
    valid_ = handle_ && set(text);
  }

  bool set(const std::string& text) {
    return curl_url_set(handle_.get(), CURLUPART_URL, text.c_str(), kWithoutUser) == CURLUE_OK;
  }

  std::string part(CURLUPart which, unsigned flags = 0) const {
    char* text = nullptr;
    if (!valid_ || curl_url_get(handle_.get(), which, &text, flags) != CURLUE_OK) return "";
    const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
    return text;
  }

  bool is_valid() const { return valid_; }

 private:
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle_;
  bool valid_ = false;
};

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace

bool is_endpoint(const std::string& url) {
  const Url parts(url);
  const std::string scheme = parts.part(CURLUPART_SCHEME);
  return (scheme == "https" || scheme == "http") && !parts.part(CURLUPART_HOST).empty() &&
         parts.part(CURLUPART_QUERY).empty() && parts.part(CURLUPART_FRAGMENT).empty();
}

std::string origin_of(const std::string& url) {
  const Url parts(url);
  const std::string host = lower(parts.part(CURLUPART_HOST));
  if (host.empty()) return "";
  return parts.part(CURLUPART_SCHEME) + "://" + host + ":" +
         parts.part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string server_of(const std::string& url) {
  const Url parts(url);
  const std::string port = parts.part(CURLUPART_PORT);
  return parts.part(CURLUPART_HOST) + (port.empty() ? "" : ":" + port);
}

std::optional<std::string> redirected(const std::string& base, const std::string& location) {
  Url parts(base);
  if (!parts.is_valid() || location.empty() || !parts.set(location)) return std::nullopt;
  return parts.part(CURLUPART_URL);
}

bool may_be_asked(const std::string& url, const std::string& endpoint) {
  const Url parts(url);
  const std::string scheme = parts.part(CURLUPART_SCHEME);
  if (scheme == "https") return true;
  if (scheme != "http" || Url(endpoint).part(CURLUPART_SCHEME) != "http") return false;
  return origin_of(url) == origin_of(endpoint) || is_loopback(lower(parts.part(CURLUPART_HOST)));
}

std::string percent_encoded(std::string_view text, std::string_view keep) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != kPlain.npos || keep.find(c) != keep.npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return encoded;
}

}  // namespace ovenbird
