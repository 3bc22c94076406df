// `ovenbird bake OWNER/NAME`, as a user types it: downloads, bakes, resumes. Method: the programs,
// a stub hub on loopback with golden checkpoints in it, a cache of the test's own.
#include <signal.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "bundle/bundle.h"
#include "hub/stub_hub.h"
#include "program.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr char kWeights[] = "model-00001-of-00002.safetensors";  // of the golden qwen2
constexpr uint64_t kOthersMax = 20'480;  // bytes: every other file of it has fewer

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A hub with a golden checkpoint as "Org/Tiny", and a user whose cache is empty.
struct User {
  explicit User(const std::string& checkpoint) {
    for (const auto& entry : fs::directory_iterator(golden_path(checkpoint))) {
      hub.add("Org/Tiny", entry.path().filename(), read(entry.path()));
    }
    hub.add("Org/Tiny-GGUF", "tiny-q8_0.gguf", read(golden_path("gguf/qwen2_q8_0.gguf")));
  }

  std::vector<std::string> environment(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> variables = more;  // of two of one name, the first counts
    for (const std::string& variable :
         {"HF_ENDPOINT=" + hub.url(), "HF_HOME=" + (directory.path() / "home").string(),
          std::string("HF_TOKEN=hf_secret")}) {
      variables.push_back(variable);
    }
    return variables;
  }
  std::string target(const std::string& name = "out") const { return directory.path() / name; }
  Finished bake(std::vector<std::string> arguments,
                const std::vector<std::string>& more = {}) const {
    arguments.insert(arguments.begin(), "bake");
    return run_program(arguments, "", environment(more));
  }

  StubHub hub;
  TemporaryDirectory directory;
};

bool is_whole(const fs::path& path) {
  const Result<Bundle> bundle = Bundle::open(path);
  return bundle && bundle->verify();
}

TEST_CASE("a model of the hub is downloaded and baked, by place and by flag") {
  const User user("qwen2");

  const Finished place = user.bake({"Org/Tiny", "-o", user.target("place")});
  const Finished flag = user.bake({"--model_id", "Org/Tiny", "-o", user.target("flag")});

  CHECK_MESSAGE(place.exit_code == 0, place.err);
  CHECK(place.err.find(std::string("download: ") + kWeights + ", ") != std::string::npos);
  CHECK(place.err.find("hf_secret") == std::string::npos);
  CHECK(is_whole(user.target("place")));
  CHECK_MESSAGE(flag.exit_code == 0, flag.err);
  CHECK(flag.err.find("download:") == std::string::npos);  // it is there now
  CHECK(read(fs::path(user.target("flag")) / "openvino_model.bin") ==
        read(fs::path(user.target("place")) / "openvino_model.bin"));

  const Finished local = run_program({"bake", golden_path("qwen2"), "-o", user.target("local")});
  CHECK(local.exit_code == 0);
  CHECK(read(fs::path(user.target("local")) / "openvino_model.bin") ==
        read(fs::path(user.target("place")) / "openvino_model.bin"));
}

TEST_CASE("a GGUF of the hub is baked, and gives the bundle its name") {
  const User user("qwen2");
  const fs::path before = fs::current_path();
  fs::current_path(user.directory.path());
  const Finished finished = user.bake({"Org/Tiny-GGUF:tiny-q8_0.gguf"});
  fs::current_path(before);

  CHECK_MESSAGE(finished.exit_code == 0, finished.err);
  CHECK(is_whole(user.target("tiny-q8_0-ovenbird")));
}

TEST_CASE("a revision is named once, and not for a path") {
  const User user("qwen2");
  const std::string out = user.target();

  CHECK(user.bake({"Org/Tiny", "--revision", "v1.0", "-o", out}).exit_code == 0);
  CHECK(fs::exists(user.directory.path() / "home/hub/models--Org--Tiny/refs/v1.0"));
  check_failure(user.bake({"Org/Tiny@main", "--revision", "main", "-o", out}), 2);
  check_failure(user.bake({"Org/Tiny", "--revision", "../x", "-o", out}), 2);
  check_failure(user.bake({golden_path("qwen2"), "--revision", "main", "-o", out}), 2);
}

TEST_CASE("what cannot be had is one line and its exit code, and leaves no bundle") {
  const User user("qwen2");
  const auto words = [&](const std::string& name, int code,
                         const std::vector<std::string>& more = {}) {
    const std::string line = check_failure(user.bake({name, "-o", user.target()}, more), code);
    CHECK(line.find("hf_secret") == std::string::npos);
    CHECK(!fs::exists(user.target()));
    return line;
  };

  CHECK(words("Org/Nothing", 3).find("there is no such model") != std::string::npos);
  CHECK(words("Org/Tiny-GGUF", 3).find("as in Org/Tiny-GGUF:tiny-q8_0.gguf") != std::string::npos);
  CHECK(words("Org/Tiny", 3, {"HF_HUB_OFFLINE=1"}).find("HF_HUB_OFFLINE") != std::string::npos);
  CHECK(words("Tiny", 3).find("no such file or directory") != std::string::npos);
  CHECK(words("Org/Tiny:x", 2).find("write OWNER/NAME") != std::string::npos);
  CHECK(words("Org/Tiny", 2, {"HF_TOKEN=hf_secret bad"}).find("HF_TOKEN") != std::string::npos);
  CHECK(words("Org/Tiny", 2, {"HF_ENDPOINT=nonsense://x"}).find("HF_ENDPOINT") !=
        std::string::npos);
}

TEST_CASE("Ctrl-C in the middle is exit code 5; the same command goes on and bakes") {
  const User user("qwen2");
  user.hub.order(
      {{{"path", kWeights}, {"host", "store"}, {"do", "slow"}, {"part", 4096}, {"seconds", 0.05}}});
  const fs::path blobs = user.directory.path() / "home/hub/models--Org--Tiny/blobs";
  const auto has_come = [&] {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(blobs, error)) {
      const uint64_t bytes = entry.file_size(error);  // an error: it has its final name by now
      if (!error && entry.path().extension() == ".incomplete" && bytes > kOthersMax) return true;
    }
    return false;
  };

  Program program({"bake", "Org/Tiny", "-o", user.target()}, "", user.environment());
  while (program.is_running() && !has_come()) std::this_thread::yield();
  program.send(SIGINT);
  const std::string line = program.wait().err;
  CHECK(line.find("interrupted; what has come is kept") != std::string::npos);
  CHECK(!fs::exists(user.target()));

  user.hub.order(nlohmann::json::array());
  const Finished again = user.bake({"Org/Tiny", "-o", user.target()});
  CHECK_MESSAGE(again.exit_code == 0, again.err);
  CHECK(is_whole(user.target()));
  const auto downloads = user.hub.downloads_of(kWeights);
  REQUIRE(downloads.size() == 2);
  CHECK(downloads.back().range.starts_with("bytes="));
}

}  // namespace
}  // namespace ovenbird
