// bake --calibrate as a user types it: how near the bundle comes to f32, and what is refused.
#include <signal.h>

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bundle/bundle.h"
#include "program.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr size_t kEnoughBytes = 8000;

/// Words by chance, the same for the same seed.
std::string words(size_t bytes, uint32_t seed) {
  std::mt19937 generator(seed);
  std::string text;
  while (text.size() < bytes) {
    for (uint64_t letters = 1 + generator() % 7; letters > 0; --letters) {
      text += static_cast<char>('a' + generator() % 26);
    }
    text += generator() % 9 == 0 ? ".\n" : " ";
  }
  return text;
}

fs::path write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

Finished bake(const char* golden, const fs::path& target, std::vector<std::string> flags) {
  std::vector<std::string> arguments{"bake", golden_path(golden), "-o", target, "--for", "cpu"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return run_program(arguments);
}

std::vector<double> logprobs(const fs::path& bundle, const fs::path& text) {
  const Finished finished = run_program(
      {"score", bundle, "--text", text, "--max-tokens", "200", "--device", "CPU", "--json"});
  INFO("standard error: " << finished.err);
  REQUIRE(finished.exit_code == 0);
  std::vector<double> found;
  const nlohmann::json scored = nlohmann::json::parse(finished.out);
  for (const nlohmann::json& logprob : scored.at("logprobs")) {
    if (!logprob.is_null()) found.push_back(logprob.get<double>());
  }
  return found;
}

double mean_error(const std::vector<double>& found, const std::vector<double>& exact) {
  REQUIRE(found.size() == exact.size());
  double sum = 0;
  for (size_t i = 0; i < exact.size(); ++i) sum += std::abs(found[i] - exact[i]);
  return sum / static_cast<double>(exact.size());
}

TEST_CASE("a calibrated bundle is nearer to f32 than one rounded to nearest") {
  const TemporaryDirectory directory;
  const fs::path text = write(directory.path() / "calibrate.txt", words(kEnoughBytes, 1));
  const fs::path other = write(directory.path() / "score.txt", words(kEnoughBytes, 2));
  for (const char* golden : {"llama_gqa", "qwen2", "gemma2"}) {
    const std::vector<double> exact = logprobs(baked_golden(golden), other);
    for (const char* group : {"32", "-1"}) {
      CAPTURE(golden);
      CAPTURE(group);
      const fs::path nearest = directory.path() / (std::string(golden) + group);
      const fs::path calibrated = nearest.string() + "-calibrated";
      REQUIRE(bake(golden, nearest, {"--group-size", group}).exit_code == 0);
      const Finished finished =
          bake(golden, calibrated, {"--group-size", group, "--calibrate", text});
      INFO("standard error: " << finished.err);
      REQUIRE(finished.exit_code == 0);
      CHECK(mean_error(logprobs(calibrated, other), exact) <
            mean_error(logprobs(nearest, other), exact));
    }
  }
}

TEST_CASE("the same text gives the same bytes") {
  const TemporaryDirectory directory;
  const fs::path text = write(directory.path() / "calibrate.txt", words(kEnoughBytes, 1));
  std::vector<std::string> hashes;
  for (const char* name : {"one", "two"}) {
    REQUIRE(bake("llama_gqa", directory.path() / name, {"--calibrate", text}).exit_code == 0);
    const Result<Bundle> bundle = Bundle::open(directory.path() / name);
    REQUIRE(bundle);
    for (const FileInfo& file : bundle->manifest().files) {
      if (file.name == kWeightsName) hashes.push_back(file.sha256);
    }
  }
  REQUIRE(hashes.size() == 2);
  CHECK(hashes[0] == hashes[1]);
}

TEST_CASE("a text that cannot be calibrated with is refused in one line, and nothing is left") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  const auto refused = [&](const std::string& text, int exit_code) {
    const fs::path file = write(directory.path() / "text", text);
    return check_failure(bake("llama_gqa", target, {"--calibrate", file}), exit_code);
  };
  CHECK(refused("", 3).find("0 tokens") != std::string::npos);
  CHECK(refused("too short", 3).find("name a longer text") != std::string::npos);
  CHECK(refused(words(kEnoughBytes, 1) + "\xFF\xFE", 3).find("not UTF-8") != std::string::npos);
  check_failure(bake("llama_gqa", target, {"--calibrate", directory.path() / "absent"}), 3);
  const fs::path good = write(directory.path() / "text", words(kEnoughBytes, 1));
  check_failure(bake("llama_gqa", target, {"--weights", "int8", "--calibrate", good}), 2);
  check_failure(bake("mistral", target, {"--calibrate", good}), 2);  // it has no tokenizer
  fs::remove(good);
  CHECK(fs::is_empty(directory.path()));
}

TEST_CASE("an interrupted calibration leaves nothing, whenever it is interrupted") {
  const TemporaryDirectory directory;
  const fs::path text = write(directory.path() / "calibrate.txt", words(60'000, 1));
  const fs::path bundles = directory.path() / "bundles";
  for (const int milliseconds : {50, 150, 250, 400}) {
    CAPTURE(milliseconds);
    fs::create_directory(bundles);
    Program program({"bake", golden_path("qwen2"), "-o", bundles / "out", "--calibrate", text});
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    program.send(SIGINT);
    const Finished finished = program.wait();
    if (finished.exit_code == 0) continue;  // it was faster
    if (finished.signal == 0) CHECK(finished.exit_code == 5);
    CHECK(fs::is_empty(bundles));
  }
}

}  // namespace
}  // namespace ovenbird
