// Blobs on the NPU: made once, found by device, driver and build, refused where they do not fit.
#include <doctest/doctest.h>

#include <fstream>

#include "engine/baked.h"
#include "engine/emulated.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

const Baked& npu_bundle() {
  static const Baked baked("mistral", {.weights = WeightChoice::kInt4, .context = 64});
  return baked;
}

TEST_CASE("child: open the cached plan" * doctest::skip()) {
  Result<Bundle> bundle = Bundle::open(asked("OVENBIRD_TEST_BUNDLE"));
  REQUIRE(bundle);
  const std::unique_ptr<Engine> engine = open_or_fail(*bundle, on_device());
  auto plan = make_plan("cached", *engine, bundle->manifest());
  REQUIRE(plan);
  const std::vector<int32_t> ids = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};  // one prefill
  const Result<Logits> logits = (*plan)->step(ids, LogitRows::kLast);
  if (!logits) FAIL(logits.error().message);
  report({{"logits", std::vector<float>(logits->values.begin(), logits->values.end())}});
}

EmulatedRun start(Environment settings = {}) {
  settings["OVENBIRD_TEST_BUNDLE"] = npu_bundle().path().string();
  EmulatedRun run = run_emulated("child: open the cached plan", settings);
  CAPTURE(run.output);
  REQUIRE(run.exit_code == 0);
  REQUIRE(run.reports.size() == 1);
  return run;
}

std::vector<fs::path> blobs() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(npu_bundle().open().cache_directory())) {
    files.push_back(entry.path());
  }
  return files;
}

void forget_blobs() { fs::remove_all(npu_bundle().open().cache_directory()); }

TEST_CASE("the second start imports what the first one compiled") {
  forget_blobs();
  const EmulatedRun cold = start();
  CHECK(cold.count("compile") == 1);  // prefill; decoding has not begun
  CHECK(cold.count("blob_import") == 0);
  REQUIRE(blobs().size() == 1);

  const EmulatedRun warm = start();
  CHECK(warm.count("compile") == 0);
  CHECK(warm.count("blob_import") == 1);
  CHECK(warm.count("blob_refused") == 0);
  CHECK(warm.reports[0] == cold.reports[0]);
}

TEST_CASE("another driver or platform has blobs of its own") {
  forget_blobs();
  start();
  const EmulatedRun other_driver = start({{"DRIVER_VERSION", "1770000000"}});
  CHECK(other_driver.count("compile") == 1);
  CHECK(other_driver.count("blob_refused") == 0);  // it is not even offered
  const EmulatedRun other_platform = start({{"PLATFORM", "5010"}});
  CHECK(other_platform.count("compile") == 1);
  CHECK(blobs().size() == 3);
  CHECK(start().count("compile") == 0);
}

TEST_CASE("a blob that the driver refuses is made again, and the answer stays the same") {
  forget_blobs();
  const EmulatedRun first = start();
  const EmulatedRun refused = start({{"FAULT", "foreign-blob@1"}});
  CHECK(refused.count("blob_refused") == 1);
  CHECK(refused.count("compile") == 1);
  CHECK(refused.reports[0] == first.reports[0]);
  CHECK(blobs().size() == 1);
  CHECK(start().count("blob_import") == 1);
}

TEST_CASE("a damaged blob is not offered to the driver") {
  for (const double place : {0.0, 0.5, 0.99}) {
    forget_blobs();
    const EmulatedRun first = start();
    const fs::path blob = blobs().at(0);
    const auto at = static_cast<std::streamoff>(place * double(fs::file_size(blob)));
    std::fstream file(blob, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
    file.close();
    const EmulatedRun again = start();
    CHECK(again.count("blob_import") == 0);
    CHECK(again.count("blob_refused") == 0);
    CHECK(again.count("compile") == 1);
    CHECK(again.reports[0] == first.reports[0]);
  }
}

}  // namespace
}  // namespace ovenbird
