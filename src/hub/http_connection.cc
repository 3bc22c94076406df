// Requests by libcurl's easy interface.
#include "hub/http_connection.h"

#include <curl/curl.h>

#include <array>
#include <new>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr long kSlowBytesPerSecond = 1024;   // slower for `stall_time_max` is as good as nothing
constexpr long kBufferBytes = 512 * 1024;    // libcurl's largest: fewer calls for gigabytes
constexpr size_t kErrorBodyMax = 64 * 1024;  // read, so that the connection can be used again

using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(started);  // without it every handle fails, and says so
}

/// What passes by itself: lines that break, servers that are overloaded, names not resolved now.
bool passes(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != text.npos) {
    text.remove_suffix(1);
  }
  return text;
}

void add_header(Headers& headers, const std::string& line) {
  curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
  if (!longer) throw std::bad_alloc();
  static_cast<void>(headers.release());
  headers.reset(longer);
}

}  // namespace

struct HttpConnection::State {
  const HubSettings& settings;
  const std::atomic<bool>& stop;
  CURL* curl = nullptr;
  std::array<char, CURL_ERROR_SIZE> words{};
  HttpReply reply;
  size_t header_bytes = 0;
  size_t error_bytes = 0;
  const Sink* sink = nullptr;

  static size_t take_header(char* data, size_t, size_t bytes, void* self) {
    return static_cast<State*>(self)->header({data, bytes});
  }
  static size_t take_body(char* data, size_t, size_t bytes, void* self) {
    return static_cast<State*>(self)->body({reinterpret_cast<const std::byte*>(data), bytes});
  }
  static int ask_whether_to_stop(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<State*>(self)->stop ? 1 : 0;
  }

  size_t header(std::string_view line);
  size_t body(std::span<const std::byte> bytes);
  void set_once();
  void set_request(const HttpRequest& request, Headers& headers);
  void finish(CURLcode code);
};

size_t HttpConnection::State::header(std::string_view line) {
  header_bytes += line.size();
  if (header_bytes > limits::kHubHeaderBytesMax) return 0;
  if (line.starts_with("HTTP/")) reply.headers.clear();  // an interim answer came before
  const size_t colon = line.find(':');
  if (colon != line.npos) {
    reply.headers[lower(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  }
  return line.size();
}

size_t HttpConnection::State::body(std::span<const std::byte> bytes) {
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
  if (reply.status == 200 || reply.status == 206) {
    return (*sink)(reply, bytes) ? bytes.size() : 0;
  }
  error_bytes += bytes.size();
  return error_bytes > kErrorBodyMax ? 0 : bytes.size();
}

void HttpConnection::State::set_once() {
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words.data());
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
  curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, settings.user_agent.c_str());
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
                   static_cast<long>(settings.connect_time_max.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(settings.stall_time_max.count()));
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &State::take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &State::take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &State::ask_whether_to_stop);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
  if (!settings.certificates.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, settings.certificates.c_str());
  }
}

void HttpConnection::State::set_request(const HttpRequest& request, Headers& headers) {
  // A packed answer would have another length than the file.
  add_header(headers, "Accept-Encoding: identity");
  if (!request.token.empty()) add_header(headers, "Authorization: Bearer " + request.token);
  const std::string range = std::to_string(request.from) + "-";
  curl_easy_setopt(curl, CURLOPT_RANGE, request.from > 0 ? range.c_str() : nullptr);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  // In this order: HTTPGET takes NOBODY back.
  curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
  if (request.head_only) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
}

void HttpConnection::State::finish(CURLcode code) {
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
    reply.retry_after_s = static_cast<uint64_t>(seconds);
  }
  const bool body_was_cut = code == CURLE_WRITE_ERROR && error_bytes > kErrorBodyMax;
  if (code == CURLE_OK || body_was_cut) return;
  reply.failure = printable(words[0] ? words.data() : curl_easy_strerror(code));
  reply.may_pass = passes(code);
}

HttpConnection::HttpConnection(const HubSettings& settings, const std::atomic<bool>& stop)
    : state_(std::make_unique<State>(State{settings, stop})) {
  start_curl();
  state_->curl = curl_easy_init();
  if (state_->curl) state_->set_once();
}

HttpConnection::~HttpConnection() {
  if (state_->curl) curl_easy_cleanup(state_->curl);
}

HttpReply HttpConnection::send(const HttpRequest& request, const Sink& sink) {
  State& state = *state_;
  state.reply = {};
  state.header_bytes = 0;
  state.error_bytes = 0;
  state.words[0] = '\0';
  state.sink = &sink;
  if (!state.curl) {
    state.reply.failure = "libcurl does not start";
    return state.reply;
  }
  Headers headers(nullptr, curl_slist_free_all);
  state.set_request(request, headers);
  const CURLcode code = curl_easy_perform(state.curl);
  curl_easy_setopt(state.curl, CURLOPT_HTTPHEADER, nullptr);
  state.finish(code);
  return std::exchange(state.reply, {});
}

std::string HttpReply::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

}  // namespace ovenbird
