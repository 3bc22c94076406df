// The environment variables of huggingface_hub mean here what they mean there. Method: each is set,
// with a home directory of the test's own.
#include "hub/hub_settings.h"

#include <stdlib.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "hub/hub_directories.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariables[] = {"HF_HOME",
                                      "HF_HUB_CACHE",
                                      "HUGGINGFACE_HUB_CACHE",
                                      "XDG_CACHE_HOME",
                                      "HF_ENDPOINT",
                                      "HF_TOKEN",
                                      "HUGGING_FACE_HUB_TOKEN",
                                      "HF_TOKEN_PATH",
                                      "HF_HUB_OFFLINE",
                                      "TRANSFORMERS_OFFLINE",
                                      "HF_HUB_DISABLE_IMPLICIT_TOKEN",
                                      "SSL_CERT_FILE"};

/// None of them set, and an empty home; afterwards HOME is what it was.
class Environment {
 public:
  Environment() : home_before_(environment({"HOME"})) {
    for (const char* name : kVariables) ::unsetenv(name);
    ::setenv("HOME", home().c_str(), 1);
  }
  ~Environment() {
    for (const char* name : kVariables) ::unsetenv(name);
    ::setenv("HOME", home_before_.c_str(), 1);
  }
  fs::path home() const { return directory_.path(); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((home() / name).parent_path());
    directory_.write(name, text);
  }

 private:
  std::string home_before_;
  TemporaryDirectory directory_;
};

TEST_CASE("without variables it is huggingface.co, ~/.cache/huggingface/hub, no token") {
  const Environment environment;
  const auto settings = hub_settings();
  REQUIRE(settings);
  CHECK(settings->endpoint == "https://huggingface.co");
  CHECK(settings->cache == environment.home() / ".cache" / "huggingface" / "hub");
  CHECK(settings->token == "");
  CHECK(!settings->offline);
}

TEST_CASE("the cache is where the nearest variable says") {
  const Environment environment;
  ::setenv("XDG_CACHE_HOME", "/x", 1);
  CHECK(hub_cache_root() == "/x/huggingface/hub");
  ::setenv("HF_HOME", "~/hf", 1);
  CHECK(hub_cache_root() == environment.home() / "hf" / "hub");
  ::setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
  CHECK(hub_cache_root() == "/old");
  ::setenv("HF_HUB_CACHE", "/new", 1);
  CHECK(hub_cache_root() == "/new");
}

TEST_CASE("the token comes from HF_TOKEN, else from a file, without the space around it") {
  const Environment environment;
  environment.write(".cache/huggingface/token", "hf_file\n");
  CHECK(hub_settings()->token == "hf_file");
  environment.write("elsewhere", " hf_elsewhere ");
  ::setenv("HF_TOKEN_PATH", "~/elsewhere", 1);
  CHECK(hub_settings()->token == "hf_elsewhere");
  ::setenv("HF_TOKEN", "hf_variable\n", 1);
  CHECK(hub_settings()->token == "hf_variable");
  ::setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes", 1);
  CHECK(hub_settings()->token == "");
}

TEST_CASE("a token that would end its line is refused, and not shown") {
  const Environment environment;
  ::setenv("HF_TOKEN", "hf_secret\r\nX-Evil: 1", 1);
  const auto settings = hub_settings();
  REQUIRE(!settings);
  CHECK(settings.error().code == Code::kInvalidArgument);
  CHECK(settings.error().message.find("HF_TOKEN") != std::string::npos);
  CHECK(settings.error().message.find("secret") == std::string::npos);
}

TEST_CASE("an endpoint is an address, with or without a slash at its end") {
  const Environment environment;
  ::setenv("HF_ENDPOINT", "https://mirror.example/hf//", 1);
  CHECK(hub_settings()->endpoint == "https://mirror.example/hf");
  for (const char* url : {"mirror example", "ftp://x", "https://a:b@c"}) {
    ::setenv("HF_ENDPOINT", url, 1);
    const auto settings = hub_settings();
    REQUIRE(!settings);
    CHECK(settings.error().message.find("HF_ENDPOINT") != std::string::npos);
  }
}

TEST_CASE("offline is 1, on, yes or true, by either name") {
  const Environment environment;
  for (const char* word : {"1", "ON", "yes", "True"}) {
    ::setenv("HF_HUB_OFFLINE", word, 1);
    CHECK(hub_settings()->offline);
  }
  ::setenv("HF_HUB_OFFLINE", "0", 1);
  CHECK(!hub_settings()->offline);
  ::setenv("TRANSFORMERS_OFFLINE", "1", 1);
  CHECK(hub_settings()->offline);
}

}  // namespace
}  // namespace ovenbird
