// The environment variables of huggingface_hub.
#include "hub/hub_settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <initializer_list>

#include "base/limits.h"
#include "base/message_text.h"
#include "hub/hub_directories.h"
#include "hub/hub_url.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

bool is_set(std::initializer_list<const char*> names) {
  std::string value = environment(names);
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string without_space(std::string text) {
  constexpr char kSpace[] = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string file_start(const fs::path& path) {
  std::array<char, limits::kHubTokenBytesMax + 2> bytes{};
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), bytes.size());
  return {bytes.data(), static_cast<size_t>(file.gcount())};
}

/// A token goes into a header: nothing may end the line there.
Result<std::string> checked_token(const std::string& token, const std::string& from) {
  const bool plain =
      std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (plain && token.size() <= limits::kHubTokenBytesMax) return token;
  return fail(Code::kInvalidArgument,
              "the token in " + from +
                  " is none: it has spaces or other characters in it, or is "
                  "too long; write it there anew, or unset it");
}

Result<std::string> find_token() {
  if (is_set({"HF_HUB_DISABLE_IMPLICIT_TOKEN"})) return std::string();
  const std::string token = without_space(environment({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}));
  if (!token.empty()) return checked_token(token, "HF_TOKEN");
  const std::string named = environment({"HF_TOKEN_PATH"});
  const fs::path file = named.empty() ? hugging_face_home() / "token" : with_home(named);
  return checked_token(without_space(file_start(file)), file.string());
}

}  // namespace

Result<HubSettings> hub_settings() {
  HubSettings settings;
  if (std::string endpoint = environment({"HF_ENDPOINT"}); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    settings.endpoint = endpoint;
  }
  if (!is_endpoint(settings.endpoint)) {
    return fail(Code::kInvalidArgument,
                "HF_ENDPOINT is " + in_quotes(settings.endpoint) +
                    ": no address of a hub; write https://HOST, without a user's name");
  }
  auto token = find_token();
  if (!token) return Failure{token.error()};
  settings.token = *std::move(token);
  settings.cache = hub_cache_root();
  settings.offline = is_set({"HF_HUB_OFFLINE"}) || is_set({"TRANSFORMERS_OFFLINE"});
  settings.certificates = environment({"SSL_CERT_FILE"});
  return settings;
}

}  // namespace ovenbird
