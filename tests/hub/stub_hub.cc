// Starts the stub, and reads what it has seen.
#include "hub/stub_hub.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <random>

#include "hub/hub_cache.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string first_line(int descriptor) {
  std::string line;
  char c = 0;
  while (::read(descriptor, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

StubHub::StubHub(const std::string& certificate) {
  fs::create_directory(directory_.path() / "repositories");
  ::setenv("no_proxy", "127.0.0.1", 1);  // whatever the machine has for others
  std::vector<std::string> words{OVENBIRD_PYTHON,
                                 OVENBIRD_STUB_HUB,
                                 directory_.path() / "repositories",
                                 "--rules",
                                 directory_.path() / "rules.json",
                                 "--log",
                                 directory_.path() / "log"};
  if (!certificate.empty()) words.insert(words.end(), {"--tls", certificate});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
  process_ = ::fork();
  REQUIRE(process_ >= 0);
  if (process_ == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  input_ = in[1];
  url_ = first_line(out[0]);
  ::close(out[0]);
  REQUIRE(url_.starts_with("http"));
}

StubHub::~StubHub() {
  ::close(input_);
  ::waitpid(process_, nullptr, 0);
}

void StubHub::add(const std::string& repository, const std::string& file,
                  std::string_view bytes) const {
  const fs::path path = fs::path("repositories") / repository / file;
  fs::create_directories((directory_.path() / path).parent_path());
  directory_.write(path, bytes);
}

void StubHub::add_model(const std::string& repository, std::string_view weights) const {
  add(repository, "config.json", "{\"model_type\": \"llama\"}");
  add(repository, "generation_config.json", "{\"eos_token_id\": 2}");
  add(repository, "tokenizer.json", "{\"model\": {}}");
  add(repository, "tokenizer_config.json", "{\"add_bos_token\": false}");
  add(repository, "chat_template.jinja", "{{ messages }}");
  add(repository, "model.safetensors", weights);
  for (const char* name :
       {"README.md", ".gitattributes", "pytorch_model.bin", "consolidated.safetensors",
        "onnx/model.onnx", "original/model.pth", "special_tokens_map.json", "tokenizer.model"}) {
    add(repository, name, "not wanted");
  }
}

void StubHub::order(const nlohmann::json& rules) const {
  directory_.write("new_rules", rules.dump());
  fs::rename(directory_.path() / "new_rules", directory_.path() / "rules.json");
}

std::vector<SeenRequest> StubHub::seen() const {
  std::vector<SeenRequest> requests;
  std::ifstream log(directory_.path() / "log");
  for (std::string line; std::getline(log, line);) {
    const auto json = nlohmann::json::parse(line);
    requests.push_back({json["host"], json["method"], json["path"], json["range"], json["token"]});
  }
  return requests;
}

std::vector<SeenRequest> StubHub::downloads_of(const std::string& file) const {
  std::vector<SeenRequest> downloads = seen();
  std::erase_if(downloads, [&](const SeenRequest& request) {
    return request.method != "GET" || !request.path.ends_with("/" + file);
  });
  const bool is_stored = std::any_of(downloads.begin(), downloads.end(),
                                     [](const auto& request) { return request.host == "store"; });
  if (is_stored)
    std::erase_if(downloads, [](const auto& request) { return request.host == "hub"; });
  return downloads;
}

TestCache::TestCache(const StubHub& hub) {
  settings.endpoint = hub.url();
  settings.cache = directory.path() / "hub";
  settings.connect_time_max = std::chrono::seconds(5);
  settings.stall_time_max = std::chrono::seconds(1);
  settings.retry = {.tries = 4,
                    .listing_tries = 2,
                    .first_wait = std::chrono::milliseconds(2),
                    .longest_wait = std::chrono::milliseconds(8)};
}

Result<FetchedModel> TestCache::fetch(const std::string& name) {
  auto model = parse_model_name(name);
  REQUIRE(model);
  return fetch_model({.model = *model, .settings = settings, .progress = progress});
}

std::vector<std::string> TestCache::paths(const std::string& folder) const {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& model : fs::directory_iterator(settings.cache, error)) {
    const fs::path top = model.path() / folder;
    for (const auto& entry : fs::recursive_directory_iterator(top, error)) {
      if (entry.is_directory()) continue;
      found.push_back(entry.path().lexically_relative(top).string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string TestCache::file(const std::string& name) const {
  for (const std::string& path : paths("snapshots")) {
    if (!path.ends_with("/" + name)) continue;
    for (const auto& model : fs::directory_iterator(settings.cache)) {
      if (fs::exists(model.path() / "snapshots" / path)) {
        return read(model.path() / "snapshots" / path);
      }
    }
  }
  return "";
}

bool TestCache::has_partial_file() const {
  const auto blobs = paths("blobs");
  return std::any_of(blobs.begin(), blobs.end(),
                     [](const std::string& name) { return name.find('.') != name.npos; });
}

std::string varied_bytes(size_t count, uint32_t seed) {
  std::minstd_rand random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() >> 8);
  return bytes;
}

}  // namespace ovenbird
