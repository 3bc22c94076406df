// What optimum-intel exported, baked and run: every plan and recipe says what optimum-intel's own
// model over the export says (tests/data/openvino/make_exports.py), with symmetric and asymmetric
// int4 weights of NNCF.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bake/import.h"
#include "engine/baked.h"
#include "session/score.h"

namespace ovenbird {
namespace {

constexpr double kTolerance = 1e-3;

std::string export_path(const std::string& name) { return OVENBIRD_TEST_DATA "/openvino/" + name; }

/// A bundle in a directory of its own, made from an export of tests/data/openvino.
class BakedExport {
 public:
  explicit BakedExport(const std::string& name, CacheType cache = CacheType::kF32) {
    const Result<OpenvinoExport> source = open_openvino_export(export_path(name));
    if (!source) FAIL(source.error().message);
    const Result<Manifest> made = bake_export({.source = *source,
                                               .for_target = Target::kCpu,
                                               .cache = cache,
                                               .context = 192,
                                               .target = directory_.path() / "bundle"});
    if (!made) FAIL(made.error().message);
  }
  Bundle open() const {
    Result<Bundle> bundle = Bundle::open(directory_.path() / "bundle");
    if (!bundle) FAIL(bundle.error().message);
    return std::move(*bundle);
  }

 private:
  TemporaryDirectory directory_;
};

EngineOptions exactly(const std::string& plan, Recipe recipe = Recipe::kBalanced) {
  EngineOptions options = on_device(plan, recipe);
  options.exact = takes_open_graphs();  // an NPU rounds as it does
  return options;
}

std::vector<EngineOptions> all_ways() {
  std::vector<EngineOptions> ways = {exactly("window"), exactly("cached", Recipe::kLean),
                                     exactly("cached", Recipe::kBalanced),
                                     exactly("cached", Recipe::kFast)};
  if (takes_open_graphs()) ways.push_back(exactly("dynamic"));
  return ways;
}

/// The logits after the last of `ids`, given as a prompt is.
std::vector<float> last_logits(Plan& plan, std::span<const int32_t> ids) {
  std::vector<float> last;
  while (!ids.empty()) {
    const uint32_t count = plan.chunk(static_cast<uint32_t>(ids.size()), LogitRows::kLast);
    const Result<Logits> logits = plan.step(ids.first(count), LogitRows::kLast);
    if (!logits) FAIL(logits.error().message);
    const std::span<const float> row = logits->row(logits->rows - 1);
    last.assign(row.begin(), row.end());
    plan.commit(count);
    ids = ids.subspan(count);
  }
  return last;
}

template <typename Numbers>
double largest_difference(const Numbers& seen, const nlohmann::json& wanted) {
  REQUIRE(seen.size() == wanted.size());
  double largest = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    largest = std::max(largest, std::abs(double(seen[i]) - wanted[i].template get<double>()));
  }
  return largest;
}

/// The worst difference of a logit or a log-probability from the export's.
double difference(const BakedExport& baked, const nlohmann::json& golden,
                  const EngineOptions& options) {
  const Bundle bundle = baked.open();
  const std::unique_ptr<Engine> engine = open_or_fail(bundle, options);
  Result<std::unique_ptr<Plan>> plan = make_plan(options.plan, *engine, bundle.manifest());
  if (!plan) FAIL(plan.error().message);
  double worst = 0;
  for (const auto& sequence : golden["sequences"]) {
    const auto ids = sequence["ids"].get<std::vector<int32_t>>();
    (*plan)->keep(0);
    worst = std::max(worst, largest_difference(last_logits(**plan, ids), sequence["last_logits"]));
    (*plan)->keep(0);
    const auto seen = score(**plan, ids, bundle.manifest().model.vocabulary, [] { return true; });
    if (!seen) FAIL(seen.error().message);
    worst = std::max(worst, largest_difference(*seen, sequence["logprobs"]));
  }
  return worst;
}

nlohmann::json golden_of(const std::string& name) {
  std::ifstream file(export_path(name) + "/golden.json");
  return nlohmann::json::parse(file);
}

TEST_CASE("a baked export says what the export says, on every plan and recipe") {
  for (const std::string name : {"llama_int4_sym", "qwen3_int4_asym"}) {
    if (name == "qwen3_int4_asym" && !takes_open_graphs()) continue;  // an NPU takes no zero points
    const nlohmann::json golden = golden_of(name);
    const BakedExport baked(name);
    for (const EngineOptions& options : all_ways()) {
      CAPTURE(name);
      CAPTURE(options.plan);
      CAPTURE(static_cast<int>(options.recipe));
      CHECK(difference(baked, golden, options) <= kTolerance);
    }
  }
}

TEST_CASE("an export over a cache of f16 differs by what f16 costs") {
  const nlohmann::json golden = golden_of("llama_int4_sym");
  const BakedExport baked("llama_int4_sym", CacheType::kF16);
  const double seen = difference(baked, golden, exactly("cached", Recipe::kFast));
  CHECK(seen <= 0.05);
  CHECK(seen > 0);
}

}  // namespace
}  // namespace ovenbird
