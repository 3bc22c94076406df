// What bake writes for an NPU, every platform takes. Method: every combination of flags is either
// refused, by the name of a flag that exists, or baked from golden checkpoints and held against the
// rules.
#include "bake/npu_check.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "bake/bake.h"
#include "npu/npu_lint.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Checkpoint> golden(const std::string& name) {
  auto opened = open_checkpoint(OVENBIRD_TEST_DATA "/golden/" + name);
  if (!opened) FAIL(opened.error().message);
  return std::move(*opened);
}

/// Every word that begins with "--" is a flag of bake.
bool names_a_flag(const std::string& message) {
  static constexpr std::array kFlags = {"--for",        "--weights", "--embedding", "--group-size",
                                        "--asymmetric", "--cache",   "--context",   "--f16-layers"};
  size_t count = 0;
  for (size_t at = message.find("--"); at != std::string::npos; at = message.find("--", at + 1)) {
    const std::string flag = message.substr(at, message.find_first_of(" :;,)", at) - at);
    if (std::find(kFlags.begin(), kFlags.end(), flag) == kFlags.end()) return false;
    ++count;
  }
  return count > 0;
}

std::vector<BakeOptions> every_combination(Target target) {
  using enum WeightChoice;
  std::vector<BakeOptions> all;
  for (const WeightChoice weights : {kInt4, kNf4, kInt8, kF16, kF32, kGguf}) {
    for (const std::optional<WeightChoice> embedding :
         {std::optional<WeightChoice>(), {kInt4}, {kInt8}, {kF16}, {kF32}, {kGguf}}) {
      for (const std::optional<int32_t> group :
           {std::optional<int32_t>(), {-1}, {16}, {32}, {64}, {128}}) {
        for (const bool asymmetric : {false, true}) {
          for (const CacheType cache : {CacheType::kF16, CacheType::kF32}) {
            all.push_back({.target = target,
                           .weights = weights,
                           .embedding = embedding,
                           .group_size = group,
                           .asymmetric = asymmetric,
                           .cache = cache,
                           .context = 32});
          }
        }
      }
    }
  }
  return all;
}

NpuLint lint_of(const Checkpoint& checkpoint, const BakeOptions& options) {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  const Result<Manifest> made =
      bake({.checkpoint = checkpoint, .options = options, .target = target});
  if (!made) FAIL(made.error().message);
  const Result<Bundle> bundle = Bundle::open(target);
  REQUIRE(bundle);
  return npu_lint(*bundle);
}

size_t refused_count(const NpuLint& lint) {
  return static_cast<size_t>(std::count_if(
      lint.findings.begin(), lint.findings.end(),
      [](const NpuFinding& finding) { return finding.kind == NpuFinding::Kind::kRefused; }));
}

TEST_CASE("every combination of flags for an NPU is taken by all of them, or refused by a flag") {
  size_t baked = 0;
  for (const BakeOptions& options : every_combination(Target::kNpu)) {
    if (const Status valid = validate(options); !valid) {
      CAPTURE(valid.error().message);
      CHECK(valid.error().code == Code::kInvalidArgument);
      CHECK(names_a_flag(valid.error().message));
      continue;
    }
    ++baked;
    // A tied head, one of its own, and one whose source has blocks of many kinds.
    for (const char* name : {"llama3_rope_tied", "llama_gqa", "gguf/llama_mixed.gguf"}) {
      CAPTURE(name);
      const NpuLint lint = lint_of(*golden(name), options);
      CHECK(refused_count(lint) == 0);
      for (size_t platform = 0; platform < kNpuPlatforms.size(); ++platform) {
        CHECK(lint.is_taken_on(platform));
      }
    }
  }
  CHECK(baked == 2 * (3 * 4 + 4 + 4));  // caches * (int4: groups * tables, f16 and f32: tables)
}

TEST_CASE("what is refused for a CPU names a flag too") {
  for (const BakeOptions& options : every_combination(Target::kCpu)) {
    const Status valid = validate(options);
    if (valid) continue;
    CAPTURE(valid.error().message);
    CHECK(valid.error().code == Code::kInvalidArgument);
    CHECK(names_a_flag(valid.error().message));
  }
}

TEST_CASE("every architecture's graphs are taken") {
  for (const char* name : {"llama_linear_bias", "llama_mha", "mistral", "qwen2", "qwen3",
                           "gguf/qwen2_q8_0.gguf", "gguf/qwen3_bf16.gguf"}) {
    CAPTURE(name);
    CHECK(refused_count(lint_of(*golden(name), {.context = 600})) == 0);
  }
}

TEST_CASE("what bake refuses for an NPU would have been refused by one") {
  const auto source = golden("llama_gqa");
  const auto gguf = golden("gguf/llama_mixed.gguf");
  const auto refuses = [](const Checkpoint& checkpoint, BakeOptions options) {
    options.target = Target::kCpu;
    options.context = 32;
    return refused_count(lint_of(checkpoint, options)) > 0;
  };
  CHECK(refuses(*source, {.weights = WeightChoice::kInt8}));
  CHECK(refuses(*gguf, {.group_size = 32}));
  CHECK(refuses(*gguf, {.group_size = 64}));
  CHECK(refuses(*source, {.asymmetric = true}));
  CHECK(refuses(*source, {.weights = WeightChoice::kNf4}));
  CHECK(refuses(*source, {.int8_layers = *MatrixList::parse("0,1")}));
  CHECK(refuses(*gguf, {.weights = WeightChoice::kGguf}));
}

TEST_CASE("the last check names graph, platform, reason and flag") {
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  const auto source = golden("llama_gqa");
  REQUIRE(bake({.checkpoint = *source,
                .options = {.target = Target::kCpu, .weights = WeightChoice::kInt8, .context = 32},
                .target = target}));
  std::ostringstream xml;
  xml << std::ifstream(target / "step_w1_p32.xml").rdbuf();

  const Status refused = check_for_npu("step_w1_p32.xml", xml.str());

  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kInvalidArgument);
  for (const char* word :
       {"step_w1_p32.xml", "4000", "Lunar Lake", "layers.0.qkv", "issue 35641", "--for cpu"}) {
    CAPTURE(refused.error().message);
    CHECK(refused.error().message.find(word) != std::string::npos);
  }
  CHECK(check_for_npu("a.xml", "<net/>").error().code == Code::kInternal);
}

}  // namespace
}  // namespace ovenbird
