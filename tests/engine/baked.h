// Golden checkpoints baked for a test, and the engines and plans over them.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bake/bake.h"
#include "bundle/bundle.h"
#include "engine/open_engine.h"
#include "session/plan.h"
#include "support/temporary_directory.h"

namespace ovenbird {

/// What the golden files were computed with: nothing is rounded.
inline BakeOptions exact_options() {
  return {.target = Target::kCpu,
          .weights = WeightChoice::kF32,
          .cache = CacheType::kF32,
          .context = 192};
}

/// A bundle in a directory of its own, made from a checkpoint of tests/data/golden.
class Baked {
 public:
  explicit Baked(const std::string& checkpoint, const BakeOptions& options = exact_options()) {
    const auto source = open_checkpoint(OVENBIRD_TEST_DATA "/golden/" + checkpoint);
    if (!source) FAIL(source.error().message);
    const Result<Manifest> made =
        bake({.checkpoint = **source, .options = options, .target = path()});
    if (!made) FAIL(made.error().message);
  }

  std::filesystem::path path() const { return directory_.path() / "bundle"; }
  Bundle open() const {
    Result<Bundle> bundle = Bundle::open(path());
    if (!bundle) FAIL(bundle.error().message);
    return std::move(*bundle);
  }

 private:
  TemporaryDirectory directory_;
};

/// The device that the tests of this process run on: the CPU, or what the environment names.
inline std::string test_device() {
  const char* device = std::getenv("OVENBIRD_TEST_DEVICE");
  return device ? device : "CPU";
}

/// That device and no other. An NPU takes static graphs only.
inline bool takes_open_graphs() { return test_device() != "NPU"; }

inline EngineOptions on_device(const std::string& plan = "cached",
                               Recipe recipe = Recipe::kBalanced) {
  return {.plan = plan, .recipe = recipe, .device = test_device(), .fallback = false, .threads = 2};
}

inline std::unique_ptr<Engine> open_or_fail(const Bundle& bundle, const EngineOptions& options) {
  Result<OpenedEngine> opened = open_engine(bundle, options);
  if (!opened) FAIL(opened.error().message);
  return std::move(opened->engine);
}

/// A plan with the engine that it runs on.
struct OpenedPlan {
  Bundle bundle;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Plan> plan;

  OpenedPlan(const Baked& baked, const EngineOptions& options)
      : bundle(baked.open()), engine(open_or_fail(bundle, options)) {
    Result<std::unique_ptr<Plan>> made = make_plan(options.plan, *engine, bundle.manifest());
    if (!made) FAIL(made.error().message);
    plan = std::move(*made);
  }
};

}  // namespace ovenbird
