// What a bake costs, and what is left when it is killed.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <thread>

#include "bake/bake.h"
#include "bundle/bundle.h"
#include "checkpoint/tiny_hugging_face.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

Status bake_to(const fs::path& source, const fs::path& target) {
  const auto checkpoint = open_checkpoint(source);
  if (!checkpoint) return Failure{checkpoint.error()};
  const Result<Manifest> made =
      bake({.checkpoint = **checkpoint, .options = {}, .target = target, .replace = true});
  return made ? ok() : Status(Failure{made.error()});
}

TEST_CASE("killed at any moment, a bake leaves a whole bundle or none") {
  const TemporaryDirectory temp;
  const fs::path source = OVENBIRD_TEST_DATA "/golden/llama_gqa";
  const auto start = Clock::now();
  REQUIRE(bake_to(source, temp.path() / "first"));
  const double whole_time = std::chrono::duration<double>(Clock::now() - start).count();

  const fs::path target = temp.path() / "bundle";
  std::mt19937 random(1);
  std::uniform_real_distribution<double> moment(0.0, 1.2 * whole_time);
  int whole = 0;
  for (int round = 0; round < 20; ++round) {
    if (round == 10) fs::remove_all(target);  // from here on there is none to begin with
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(bake_to(source, target) ? 0 : 1);
    std::this_thread::sleep_for(std::chrono::duration<double>(moment(random)));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (!fs::exists(target)) continue;
    const Result<Bundle> bundle = Bundle::open(target);
    REQUIRE(bundle);
    CHECK(bundle->verify());
    ++whole;
  }
  MESSAGE(whole << " of 20 times there was a bundle");
  REQUIRE(bake_to(source, target));  // removes what the killed ones left
  CHECK(std::distance(fs::directory_iterator(temp.path()), {}) == 2);
}

/// A checkpoint of about 220 MB, BF16, whose largest tensor is the embedding's 64 MB.
void write_large_checkpoint(const TemporaryDirectory& directory) {
  TinyHuggingFace model = good_hugging_face();
  constexpr uint64_t kHidden = 1024, kMlp = 4096, kVocabulary = 32768, kLayers = 5;
  model.config["hidden_size"] = kHidden;
  model.config["intermediate_size"] = kMlp;
  model.config["vocab_size"] = kVocabulary;
  model.config["num_hidden_layers"] = kLayers;
  model.config["num_attention_heads"] = 16;
  model.config["num_key_value_heads"] = 4;
  TinySafetensors weights;
  uint64_t offset = 0;
  const auto add = [&](const std::string& name, const std::vector<uint64_t>& shape) {
    const uint64_t bytes = 2 * shape[0] * (shape.size() > 1 ? shape[1] : 1);
    weights.header[name] = {
        {"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  };
  add("model.embed_tokens.weight", {kVocabulary, kHidden});
  add("model.norm.weight", {kHidden});
  for (uint64_t layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm.weight", {kHidden});
    add(prefix + "post_attention_layernorm.weight", {kHidden});
    add(prefix + "self_attn.q_proj.weight", {kHidden, kHidden});
    add(prefix + "self_attn.k_proj.weight", {kHidden / 4, kHidden});
    add(prefix + "self_attn.v_proj.weight", {kHidden / 4, kHidden});
    add(prefix + "self_attn.o_proj.weight", {kHidden, kHidden});
    add(prefix + "mlp.gate_proj.weight", {kMlp, kHidden});
    add(prefix + "mlp.up_proj.weight", {kMlp, kHidden});
    add(prefix + "mlp.down_proj.weight", {kHidden, kMlp});
  }
  directory.write("config.json", model.config.dump());
  std::ofstream file(directory.write("model.safetensors", weights.bytes()),
                     std::ios::binary | std::ios::app);
  std::string part(1 << 20, '\0');
  std::mt19937 random(1);
  for (size_t i = 0; i < part.size(); i += 2) {
    part[i] = static_cast<char>(random());
    part[i + 1] = static_cast<char>(0x3C | (random() & 0x80));  // between 0.008 and 0.03
  }
  for (uint64_t done = 0; done < offset; done += part.size()) {
    file.write(part.data(), static_cast<std::streamsize>(std::min(offset - done, part.size())));
  }
  REQUIRE(file.good());
}

/// A figure of this process, in MiB: "VmRSS", "VmHWM".
double memory(const char* figure) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(figure)) return std::stod(line.substr(line.find(':') + 1)) / 1024;
  }
  return 0;
}

#ifdef __SANITIZE_THREAD__  // which ends a child that starts threads
constexpr bool kBakesInChild = false;
#else
constexpr bool kBakesInChild = true;
#endif
#ifdef __SANITIZE_ADDRESS__         // which keeps what is freed
constexpr double kGrowthMax = 160;  // MiB; 135 seen
#else
constexpr double kGrowthMax = 130;  // 77 seen
#endif

TEST_CASE("memory stays near the largest tensor, not near the model" *
          doctest::skip(!kBakesInChild)) {
  const TemporaryDirectory temp;
  write_large_checkpoint(temp);
  int grown[2];
  REQUIRE(::pipe(grown) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const double before = memory("VmRSS");
    const bool made = bool(bake_to(temp.path(), temp.path() / "bundle"));
    const double growth = made ? memory("VmHWM") - before : -1;
    ::_exit(::write(grown[1], &growth, sizeof growth) == sizeof growth ? 0 : 1);
  }
  double growth = -1;
  REQUIRE(::read(grown[0], &growth, sizeof growth) == sizeof growth);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ::close(grown[0]);
  ::close(grown[1]);
  MESSAGE("grew by " << growth << " MiB");
  CHECK(growth > 0);
  CHECK(growth < kGrowthMax);
}

}  // namespace
}  // namespace ovenbird
