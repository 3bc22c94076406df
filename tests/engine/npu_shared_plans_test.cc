// Several conversations over one engine and the caller's memory, on the emulated NPU: their slots
// and the one place for logits are imported once each, whatever graph writes there.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/page_memory.h"
#include "engine/baked.h"
#include "engine/emulated.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

const Baked& npu_bundle() {
  static const Baked baked(
      "llama_gqa",
      BakeOptions{.target = Target::kNpu, .weights = WeightChoice::kInt4, .context = 300});
  return baked;
}

PageMemory shared_pages(size_t bytes) {
  Result<PageMemory> memory = PageMemory::allocate(bytes, Pages::kShared);
  if (!memory) FAIL(memory.error().message);
  return std::move(*memory);
}

/// What one conversation lives in.
struct Room {
  explicit Room(const Manifest& manifest)
      : pages(shared_pages(manifest.slot_bytes(cache_rows(manifest, "cached")))),
        header(shared_pages(sizeof(wire::SlotHeader))),
        scratch(shared_pages(manifest.head_bytes(cache_rows(manifest, "cached")))) {}

  SlotMemory memory() const {
    return {.pages = pages.bytes(),
            .header = reinterpret_cast<wire::SlotHeader*>(header.bytes().data()),
            .scratch = scratch.bytes()};
  }

  PageMemory pages;
  PageMemory header;
  PageMemory scratch;
};

/// A prompt in a wide step and one that gives several rows, and tokens one by one: the best of each
/// row, and so every graph's logits.
std::vector<int32_t> talk(Plan& plan, int32_t first, size_t answer) {
  constexpr size_t kWide = 100;
  std::vector<int32_t> ids;
  for (size_t i = 0; i < kWide + 8; ++i) ids.push_back(first + static_cast<int32_t>(i % 40));
  std::vector<int32_t> best;
  for (size_t done = 0; best.size() < answer;) {
    const LogitRows wanted = done < kWide ? LogitRows::kLast : LogitRows::kAll;
    const auto left = static_cast<uint32_t>(done < kWide ? kWide - done : ids.size() - done);
    const uint32_t count = plan.chunk(left, wanted);
    const Result<Logits> logits = plan.step(std::span(ids).subspan(done, count), wanted);
    if (!logits) FAIL(logits.error().message);
    for (uint32_t i = 0; i < logits->rows; ++i) {
      const auto row = logits->row(i);
      best.push_back(static_cast<int32_t>(std::ranges::max_element(row) - row.begin()));
    }
    plan.commit(count);
    done += count;
    if (done == ids.size()) ids.push_back(best.back());
  }
  return best;
}

TEST_CASE("child: two conversations over memory of the caller's" * doctest::skip()) {
  const Bundle bundle = std::move(*Bundle::open(asked("OVENBIRD_TEST_BUNDLE")));
  const Manifest& manifest = bundle.manifest();
  const std::unique_ptr<Engine> engine = open_or_fail(bundle, on_device("cached", Recipe::kFast));
  const auto shared = std::make_shared<SharedGraphs>(*engine);
  const PageMemory logits = shared_pages(size_t{logit_rows_max(manifest, "cached")} *
                                         manifest.model.vocabulary * sizeof(float));
  const Room first_room(manifest);
  const Room second_room(manifest);
  const auto plan_over = [&](const PlanMemory& memory) {
    Result<std::unique_ptr<Plan>> plan = make_plan("cached", shared, manifest, memory);
    if (!plan) FAIL(plan.error().message);
    return std::move(*plan);
  };
  const std::span<float> numbers{reinterpret_cast<float*>(logits.bytes().data()),
                                 logits.bytes().size() / sizeof(float)};
  const auto first = plan_over({.slot = first_room.memory(), .logits = numbers});
  const auto second = plan_over({.slot = second_room.memory(), .logits = numbers});
  const auto alone = plan_over({});
  Json said = Json::array();
  for (const auto* plan : {&first, &second, &first, &second, &alone}) {
    (*plan)->keep(0);
    said.push_back(talk(**plan, 5, 30));
  }
  report({{"said", said}});
}

TEST_CASE("conversations over the caller's memory say what one over its own says") {
  for (const char* imports : {"yes", "no"}) {
    CAPTURE(imports);
    const EmulatedRun run =
        run_emulated("child: two conversations over memory of the caller's",
                     {{"IMPORT", imports}, {"OVENBIRD_TEST_BUNDLE", npu_bundle().path().string()}});
    CAPTURE(run.output);
    REQUIRE(run.exit_code == 0);
    REQUIRE(run.reports.size() == 1);
    const Json& said = run.reports[0]["said"];
    for (const Json& answer : said) CHECK(answer == said[4]);
    if (imports == std::string("no")) continue;
    CHECK(run.count("import_refused") == 0);
    for (const Json& execution : run.events("execute")) {
      for (const Json& argument : execution["arguments"]) CHECK(argument["memory"] == "imported");
    }
  }
}

}  // namespace
}  // namespace ovenbird
