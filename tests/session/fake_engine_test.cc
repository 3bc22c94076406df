// The fake engine: it computes the toy model, and notices what a strict device would.
#include "fakes/fake_engine.h"

#include <numeric>

#include <doctest/doctest.h>

#include "plan_bench.h"
#include "session/bound_graph.h"
#include "session/cache_slot.h"

namespace ovenbird {
namespace {

constexpr uint32_t kPast = 16;

/// One static graph of width 8 over 16 past rows, driven by hand.
struct Device {
  Device() {
    slot.set_capacity(kPast);
    REQUIRE(step(random_ids(5, 1), 0));
    slot.append(graph.present(), 8, graph.first_row(), 5);
  }

  Result<Logits> step(const Ids& tokens, uint32_t first_position, uint32_t past = kPast) {
    return graph.run(
        {.tokens = tokens, .first_position = first_position, .seen = slot.rows(), .past = past},
        slot.stack(), kPast);
  }

  const Manifest manifest = toy_manifest({.context = 32, .past = kPast, .short_past = 0});
  FakeEngine engine{manifest, graph_set(manifest, "cached NPU lean").graphs};
  const ToyModel model{manifest};
  CacheSlot slot = std::move(*CacheSlot::create(manifest, kPast, Pages::kPrivate));
  BoundGraph graph{std::make_shared<SharedGraphs>(engine), manifest, 0, {}};
};

TEST_CASE("the fake engine gives the toy model's logits for every row") {
  Device device;
  const Ids more = {7, 8, 7};
  const Result<Logits> logits = device.step(more, 5);

  REQUIRE(logits);
  REQUIRE(logits->rows == 3);
  ReferenceView view = ReferenceView::cache(kPast);
  view.push(random_ids(5, 1));
  for (uint32_t row = 0; row < 3; ++row) {
    view.push(more[row]);
    const std::span<const float> given = logits->row(row);
    CHECK(std::vector<float>(given.begin(), given.end()) == reference_logits(device.model, view));
  }
  CHECK(device.engine.faults().empty());
  CHECK(device.engine.tokens_given() == 8);
}

TEST_CASE("the fake engine notices a position that is taken, left out, or beyond the context") {
  for (const uint32_t position : {0u, 4u, 6u, 31u, 32u}) {
    Device device;
    const bool is_outside = position == 32;
    CHECK(device.step({7}, position).has_value() != is_outside);
    CHECK_FALSE(device.engine.faults().empty());
  }
}

TEST_CASE("the fake engine notices an id outside the vocabulary") {
  for (const int32_t id : {-1, 64}) {
    Device device;
    CHECK_FALSE(device.step({id}, 5));
    CHECK_FALSE(device.engine.faults().empty());
  }
}

TEST_CASE("the fake engine notices rows that are missing, moved, swapped or not turned") {
  const auto faults_after = [](const auto& spoil) {
    Device device;
    spoil(device);
    CHECK(device.step({7}, device.slot.rows()));
    return !device.engine.faults().empty();
  };
  constexpr size_t kRowBytes = ToyModel::kHeadDim * 2;

  CHECK(faults_after([](Device& device) {  // a value of another row
    std::byte* values = device.slot.stack().tensors[3];
    std::copy_n(values, kRowBytes, values + kRowBytes);
  }));
  CHECK(faults_after([](Device& device) {  // a key of another row, in the second head
    std::byte* keys = device.slot.stack().tensors[0] + kPast * kRowBytes;
    std::copy_n(keys, kRowBytes, keys + kRowBytes);
  }));
  CHECK(faults_after([](Device& device) {  // layers exchanged
    std::byte* keys = device.slot.stack().tensors[0];
    std::swap_ranges(keys, keys + 5 * kRowBytes, device.slot.stack().tensors[2]);
  }));
  CHECK(faults_after([](Device& device) {  // rows that nobody has written
    device.slot.append(device.graph.present(), 8, 0, 2);
  }));
  CHECK(faults_after([](Device& device) {  // moved up, but not turned
    for (std::byte* tensor : device.slot.stack().tensors) {
      std::copy_n(tensor + 2 * kRowBytes, 3 * kRowBytes, tensor + kRowBytes);
    }
    device.slot.truncate(4);
  }));
  CHECK_FALSE(faults_after([](Device& device) { device.slot.drop(1, 1); }));
}

TEST_CASE("the fake engine refuses sizes that a static graph does not have") {
  Device device;
  const Result<Logits> logits = device.step({7}, 5, kPast - 1);
  REQUIRE_FALSE(logits);
  CHECK(logits.error().code == Code::kDeviceLost);
  CHECK(device.engine.faults().size() == 1);
}

TEST_CASE("the fake engine refuses a binding after its graph was released") {
  Device device;
  device.engine.release(0);
  CHECK_FALSE(device.step({7}, 5));
  CHECK(device.engine.faults().size() == 1);
}

TEST_CASE("the fake engine fails once, when it was told to, and its outputs are then no numbers") {
  Device device;
  device.engine.fail_after(1);
  CHECK(device.step({7}, 5));
  const Result<Logits> logits = device.step({7}, 5);
  REQUIRE_FALSE(logits);
  CHECK(logits.error().code == Code::kDeviceLost);
  CHECK_FALSE(device.model.read_row(device.graph.present(), 8, 7).is_sound);
  CHECK(device.step({7}, 5));
  CHECK(device.engine.faults().empty());
}

}  // namespace
}  // namespace ovenbird
