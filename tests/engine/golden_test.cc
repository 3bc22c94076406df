// The golden checkpoints, baked and run: every plan and recipe says what transformers says, on
// OpenVINO's CPU and (the same cases) on an NPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bake/nf4.h"
#include "engine/baked.h"
#include "engine/plain_openvino.h"
#include "session/score.h"

namespace ovenbird {
namespace {

constexpr const char* kCheckpoints[] = {"llama_gqa",
                                        "llama3_rope_tied",
                                        "llama_linear_bias",
                                        "llama_mha",
                                        "mistral",
                                        "qwen2",
                                        "qwen3",
                                        "qwen3_yarn",
                                        "mistral_sliding",
                                        "phi3_short_rope",
                                        "phi3_long_rope",
                                        "gemma2",
                                        "gemma3",
                                        "smollm3",
                                        "granite",
                                        "olmo2",
                                        "mixtral",
                                        "qwen3_moe",
                                        "gguf/llama_f16.gguf",
                                        "gguf/llama3_rope_bf16.gguf",
                                        "gguf/qwen2_q8_0.gguf",
                                        "gguf/qwen3_bf16.gguf",
                                        "gguf/llama_mixed.gguf",
                                        "gguf/gemma2_f16.gguf",
                                        "gguf/gemma3_bf16.gguf",
                                        "gguf/granite_f16.gguf",
                                        "gguf/olmo2_f16.gguf",
                                        "gguf/smollm3_bf16.gguf",
                                        "gguf/qwen3_yarn_bf16.gguf",
                                        "gguf/phi_short_f16.gguf",
                                        "gguf/phi_long_bf16.gguf",
                                        "gguf/mixtral_bf16.gguf",
                                        "gguf/qwen3_moe_bf16.gguf"};

struct Sequence {
  std::vector<int32_t> ids;
  std::vector<double> log_probabilities;  // of ids[i + 1] after ids[0..i]
  std::vector<int32_t> best_ids;          // after ids[0..i]
};

struct Golden {
  std::vector<Sequence> sequences;
  std::vector<int32_t> prompt, greedy;
};

Golden golden_of(const std::string& checkpoint) {
  const std::string path = OVENBIRD_TEST_DATA "/golden/" + checkpoint;
  std::ifstream file(path.ends_with(".gguf") ? path.substr(0, path.size() - 4) + "json"
                                             : path + "/golden.json");
  const nlohmann::json json = nlohmann::json::parse(file);
  Golden golden;
  for (const auto& entry : json["sequences"]) {
    Sequence sequence{.ids = entry["ids"], .best_ids = entry["best_ids"]};
    for (size_t i = 1; i < sequence.ids.size(); ++i) {
      sequence.log_probabilities.push_back(entry["logprobs"][i]);
    }
    golden.sequences.push_back(std::move(sequence));
  }
  golden.prompt = json["greedy"]["prompt_ids"].get<std::vector<int32_t>>();
  golden.greedy = json["greedy"]["ids"].get<std::vector<int32_t>>();
  return golden;
}

int32_t best_of(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Gives the plan all of `ids` and calls `each` with every row of logits that comes back.
template <typename Each>
void walk(Plan& plan, std::span<const int32_t> ids, LogitRows wanted, const Each& each) {
  while (!ids.empty()) {
    const uint32_t count = plan.chunk(static_cast<uint32_t>(ids.size()), wanted);
    const Result<Logits> logits = plan.step(ids.first(count), wanted);
    if (!logits) FAIL(logits.error().message);
    REQUIRE(logits->rows == (wanted == LogitRows::kAll ? count : 1));
    for (uint32_t row = 0; row < logits->rows; ++row) each(logits->row(row));
    plan.commit(count);
    ids = ids.subspan(count);
  }
}

std::vector<int32_t> best_ids(Plan& plan, std::span<const int32_t> ids) {
  std::vector<int32_t> best;
  walk(plan, ids, LogitRows::kAll,
       [&](std::span<const float> row) { best.push_back(best_of(row)); });
  return best;
}

std::vector<int32_t> greedy(Plan& plan, std::span<const int32_t> prompt, size_t count) {
  std::vector<int32_t> said;
  walk(plan, prompt, LogitRows::kLast, [&](std::span<const float> row) { said = {best_of(row)}; });
  while (said.size() < count) {
    const int32_t last = said.back();
    walk(plan, {&last, 1}, LogitRows::kLast,
         [&](std::span<const float> row) { said.push_back(best_of(row)); });
  }
  return said;
}

/// The worst and the mean distance of a plan's log-probabilities from the golden ones.
struct Distance {
  double worst = 0;
  double mean = 0;
};

Distance distance(Plan& plan, const Manifest& manifest, const Golden& golden) {
  Distance distance;
  size_t count = 0;
  for (const Sequence& sequence : golden.sequences) {
    plan.keep(0);
    const auto seen = score(plan, sequence.ids, manifest.model.vocabulary, [] { return true; });
    if (!seen) FAIL(seen.error().message);
    REQUIRE(seen->size() == sequence.log_probabilities.size());
    for (size_t i = 0; i < seen->size(); ++i) {
      const double apart = std::abs((*seen)[i] - sequence.log_probabilities[i]);
      distance.worst = std::max(distance.worst, apart);
      distance.mean += apart;
      ++count;
    }
  }
  distance.mean /= double(count);
  return distance;
}

/// Every way to run a bundle on the device.
struct Way {
  std::string name;
  EngineOptions options;
};

std::vector<Way> main_ways() {
  return {{"window", on_device("window")}, {"fast", on_device("cached", Recipe::kFast)}};
}

std::vector<Way> all_ways() {
  EngineOptions scoring = on_device();
  scoring.score = true;
  std::vector<Way> ways = {{"window", on_device("window")},
                           {"lean", on_device("cached", Recipe::kLean)},
                           {"balanced", on_device("cached", Recipe::kBalanced)},
                           {"fast", on_device("cached", Recipe::kFast)},
                           {"score", scoring}};
  if (takes_open_graphs()) ways.push_back({"dynamic", on_device("dynamic")});
  return ways;
}

void check_golden(const Baked& baked, const Golden& golden, double worst_max,
                  const std::vector<Way>& ways) {
  for (const Way& way : ways) {
    CAPTURE(way.name);
    const OpenedPlan opened(baked, way.options);
    CHECK(distance(*opened.plan, opened.bundle.manifest(), golden).worst <= worst_max);
    for (const Sequence& sequence : golden.sequences) {
      opened.plan->keep(0);
      CHECK(best_ids(*opened.plan, sequence.ids) == sequence.best_ids);
    }
    opened.plan->keep(0);
    CHECK(greedy(*opened.plan, golden.prompt, golden.greedy.size()) == golden.greedy);
  }
}

TEST_CASE("with f32 weights and cache, every plan and recipe gives the golden numbers") {
  for (const std::string checkpoint : kCheckpoints) {
    CAPTURE(checkpoint);
    const bool is_gguf = checkpoint.starts_with("gguf/");  // of the same models
    check_golden(Baked(checkpoint), golden_of(checkpoint), 2e-3,
                 is_gguf ? main_ways() : all_ways());
  }
}

TEST_CASE("with an f16 cache, every best token stays and the numbers are within 0.05") {
  for (const std::string checkpoint : kCheckpoints) {
    if (checkpoint.starts_with("gguf/")) continue;  // of the same models
    CAPTURE(checkpoint);
    BakeOptions options = exact_options();
    options.cache = CacheType::kF16;
    check_golden(Baked(checkpoint, options), golden_of(checkpoint), 0.05, main_ways());
  }
}

TEST_CASE("a bundle with two sets of graphs goes over from the short one to the long one") {
  BakeOptions options = exact_options();
  options.context = 520;  // more than the short past: there are two sets
  const Baked baked("llama_gqa", options);
  const Golden golden = golden_of("llama_gqa");
  EngineOptions dynamic = on_device("dynamic");
  dynamic.device = "CPU";
  const OpenedPlan reference(baked, dynamic);
  std::vector<int32_t> ids;
  while (ids.size() < 518) {
    const std::vector<int32_t>& part = golden.sequences[1].ids;
    ids.insert(ids.end(), part.begin(), part.begin() + std::min<size_t>(518 - ids.size(), 128));
  }
  const std::vector<int32_t> wanted = best_ids(*reference.plan, ids);
  for (const Recipe recipe : {Recipe::kLean, Recipe::kBalanced, Recipe::kFast}) {
    const OpenedPlan opened(baked, on_device("cached", recipe));
    walk(*opened.plan, std::span(ids).first(505), LogitRows::kLast, [](auto) {});
    for (size_t i = 505; i < ids.size(); ++i) {
      walk(*opened.plan, std::span(ids).subspan(i, 1), LogitRows::kLast,
           [&](std::span<const float> row) { CHECK(best_of(row) == wanted[i]); });
    }
  }
}

/// A rounded bundle, and how far it may be from the golden numbers in the mean. A wrong scale, zero
/// point or order of nibbles makes it 1 and more.
struct Rounded {
  std::string name;
  BakeOptions options;
  double mean_max;
  bool is_refused_by_npu = false;
};

TEST_CASE("rounded weights are as close as their bits allow") {
  const auto with = [](WeightChoice weights, Target target = Target::kNpu,
                       std::optional<int32_t> group = {}, bool asymmetric = false) {
    BakeOptions options = exact_options();
    options.target = target;
    options.weights = weights;
    options.group_size = group;
    options.asymmetric = asymmetric;
    return options;
  };
  const auto all_in = [&](MatrixList BakeOptions::*list, Target target) {
    BakeOptions options = with(WeightChoice::kInt4, target);
    options.*list = *MatrixList::parse("qkv,output,gate_up,down");
    options.embedding = WeightChoice::kF16;
    return options;
  };
  for (const std::string checkpoint : {"qwen2", "llama_linear_bias"}) {
    const Golden golden = golden_of(checkpoint);
    for (const Rounded& rounded : std::initializer_list<Rounded>{
             {"f16", with(WeightChoice::kF16), 2e-3},
             {"int8", with(WeightChoice::kInt8, Target::kCpu), 0.05, true},
             {"int4", with(WeightChoice::kInt4), 0.5},
             {"int4 rows", with(WeightChoice::kInt4, Target::kNpu, -1), 0.5},
             {"int4, all of it f16", all_in(&BakeOptions::f16_layers, Target::kNpu), 2e-3},
             {"int4, all of it int8", all_in(&BakeOptions::int8_layers, Target::kCpu), 0.05, true},
             {"nf4", with(WeightChoice::kNf4, Target::kCpu), 0.5, true},
             {"int4 32", with(WeightChoice::kInt4, Target::kCpu, 32), 0.5, true},
             {"int4 asymmetric", with(WeightChoice::kInt4, Target::kCpu, 32, true), 0.5, true}}) {
      CAPTURE(checkpoint);
      CAPTURE(rounded.name);
      if (rounded.is_refused_by_npu && test_device() == "NPU") continue;
      const Baked baked(checkpoint, rounded.options);
      for (const EngineOptions& options :
           {on_device("window"), on_device("cached", Recipe::kFast)}) {
        const OpenedPlan opened(baked, options);
        const Distance seen = distance(*opened.plan, opened.bundle.manifest(), golden);
        CHECK(seen.mean <= rounded.mean_max);
      }
    }
  }
}

TEST_CASE("nf4's values are those that OpenVINO reads") {
  const std::vector<float> values = plain_nf4_values();
  REQUIRE(values.size() == kNf4Values.size());
  for (size_t code = 0; code < values.size(); ++code) CHECK(values[code] == kNf4Values[code]);
}

/// Log-probabilities of a window of 128 tokens as plain OpenVINO computes them.
std::vector<double> plain_log_probabilities(const Bundle& bundle, const std::vector<int32_t>& ids) {
  const std::vector<float> logits = plain_window_logits(bundle, ids);
  const size_t vocabulary = bundle.manifest().model.vocabulary;
  std::vector<double> result;
  for (size_t i = 0; i + 1 < ids.size(); ++i) {
    const auto row = std::span(logits).subspan(i * vocabulary, vocabulary);
    double sum = 0;
    for (const float logit : row) sum += std::exp(double(logit));
    result.push_back(row[static_cast<size_t>(ids[i + 1])] - std::log(sum));
  }
  return result;
}

TEST_CASE("a GGUF's own blocks are kept without loss") {
  if (test_device() == "NPU") return;  // takes none of their groups
  for (const std::string checkpoint : {"gguf/llama_mixed.gguf", "gguf/qwen2_q8_0.gguf"}) {
    CAPTURE(checkpoint);
    BakeOptions options = exact_options();
    options.weights = WeightChoice::kGguf;
    const Baked baked(checkpoint, options);
    const Golden golden = golden_of(checkpoint);
    const Sequence& sequence = golden.sequences[1];
    const std::vector<double> seen = plain_log_probabilities(baked.open(), sequence.ids);
    for (size_t i = 0; i < seen.size(); ++i) {
      CHECK(std::abs(seen[i] - sequence.log_probabilities[i]) <= 2e-3);
    }
    for (const EngineOptions& way : {on_device("window"), on_device("cached", Recipe::kFast)}) {
      const OpenedPlan opened(baked, way);
      CHECK(distance(*opened.plan, opened.bundle.manifest(), golden).mean <= 0.05);
    }
  }
}

}  // namespace
}  // namespace ovenbird
