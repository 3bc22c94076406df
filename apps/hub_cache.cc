// The layout of the hub cache: models--OWNER--NAME/{refs/main, snapshots/COMMIT/}.
#include "hub_cache.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/message_text.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCommitDigitsMax = 64;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path hub_cache() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  return fs::path(environment("HOME")) / ".cache" / "huggingface" / "hub";
}

/// "NAME" or "OWNER/NAME", of the characters that the hub allows.
bool is_hub_id(std::string_view text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/';
  };
  return !text.empty() && text.size() <= 200 && std::all_of(text.begin(), text.end(), plain) &&
         text.front() != '.' && text.front() != '/' && text.back() != '/' &&
         std::count(text.begin(), text.end(), '/') <= 1 && text.find("..") == text.npos;
}

std::string models_folder(std::string id) {
  if (const size_t slash = id.find('/'); slash != id.npos) id.replace(slash, 1, "--");
  return "models--" + id;
}

/// The commit that refs/main names; empty if there is none.
std::string main_commit(const fs::path& model) {
  std::array<char, kCommitDigitsMax> bytes{};
  std::ifstream file(model / "refs" / "main");
  file.read(bytes.data(), bytes.size());
  std::string commit(bytes.data(), static_cast<size_t>(file.gcount()));
  const auto last = commit.find_first_not_of("0123456789abcdef");
  return commit.substr(0, last);
}

std::optional<fs::path> snapshot_of(const std::string& id) {
  const fs::path model = hub_cache() / models_folder(id);
  const std::string commit = main_commit(model);
  const fs::path snapshot = model / "snapshots" / commit;
  std::error_code error;
  if (commit.empty() || !fs::is_directory(snapshot, error)) return std::nullopt;
  return snapshot;
}

std::string name_of_path(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(path, error);
  const fs::path last = (error ? path : whole).filename();
  return last.extension() == ".gguf" ? last.stem().string() : last.string();
}

}  // namespace

Result<Source> find_source(const std::string& source) {
  std::error_code error;
  if (fs::exists(source, error)) return Source{source, name_of_path(source)};
  if (!is_hub_id(source) || source.ends_with(".gguf")) {
    return fail(Code::kNotFound,
                "open source " + in_quotes(source) +
                    ": no such file or directory; give a .gguf file, or a directory with "
                    "config.json and *.safetensors");
  }
  if (const auto snapshot = snapshot_of(source)) {
    return Source{*snapshot, fs::path(source).filename().string()};
  }
  return fail(Code::kNotFound,
              "open source " + in_quotes(source) + ": no such file or directory, and " +
                  (hub_cache() / models_folder(source)).string() +
                  " has no snapshot of it; this program does not download: `hf download " + source +
                  "` does (pip install huggingface_hub), then run this again");
}

}  // namespace ovenbird
