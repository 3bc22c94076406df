// Which memory OpenVINO's NPU plugin gives the device, asked of the driver's trace. This is what
// the plugin of OpenVINO 2026.4.1 does: a case that fails with a newer one is news about that.
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <numeric>
#include <openvino/op/ops.hpp>
#include <openvino/runtime/intel_npu/level_zero/level_zero.hpp>

#include "model_building.h"
#include "own_process.h"

namespace npu_emulator {
namespace {

using ov::intel_npu::MemType;
using ov::intel_npu::level_zero::ZeroContext;

constexpr size_t kPage = 4096;
constexpr size_t kNumbers = kPage / sizeof(float);
const ov::Shape kShape = {1, kNumbers};

/// Pages of numbers: the page of this number, everywhere.
struct Arena {
  explicit Arena(size_t pages) : bytes(pages * kPage) {
    start = static_cast<float*>(
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(start != MAP_FAILED);
    for (size_t at = 0; at < bytes / sizeof(float); ++at) {
      start[at] = static_cast<float>(at / kNumbers);
    }
  }
  ~Arena() { ::munmap(start, bytes); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  float* page(size_t number) const { return start + number * kNumbers; }

  size_t bytes;
  float* start;
};

/// y = x + 1 on the NPU, compiled once.
struct PlusOne {
  ov::Core core;
  ov::CompiledModel compiled = core.compile_model(
      model_of(1, kShape,
               [](const ov::ParameterVector& inputs) {
                 const auto one = ov::op::v0::Constant::create(ov::element::f32, {1, 1}, {1.0f});
                 return op<ov::op::v1::Add>(inputs[0], one);
               }),
      "NPU");
  ov::InferRequest request = compiled.create_infer_request();
  ZeroContext context = core.get_default_context("NPU").as<ZeroContext>();

  float run_on(const ov::Tensor& input) {
    request.set_input_tensor(input);
    request.infer();
    return request.get_output_tensor().data<float>()[kNumbers - 1];
  }
};

std::string address_of(const void* address) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", address);
  return text;
}

/// The input of the last execution.
nlohmann::json last_input() {
  const auto executions = traced("execute");
  REQUIRE_FALSE(executions.empty());
  return executions.back()["arguments"][0];
}

TEST_CASE("a plain tensor of whole pages is imported for every run and used where it lies") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(3);
  const ov::Tensor tensor(ov::element::f32, kShape, arena.page(1));
  for (size_t run = 1; run <= 3; ++run) {
    const size_t imports = traced("import").size();
    CHECK(plus_one.run_on(tensor) == 2);
    CHECK(last_input()["address"] == address_of(arena.page(1)));
    CHECK(last_input()["memory"] == "imported");
    CHECK(traced("import").size() == imports + 1);
  }
}

TEST_CASE("a plain tensor that is not whole pages is copied") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(3);
  const ov::Tensor tensor(ov::element::f32, kShape, arena.page(1) + 16);
  CHECK(plus_one.run_on(tensor) == 3);  // its last numbers are those of the next page
  CHECK(last_input()["memory"] == "allocated");
  CHECK(last_input()["address"] != address_of(tensor.data()));
  CHECK(traced("import").empty());
  CHECK(traced("import_refused").empty());  // the plugin does not even try
}

TEST_CASE("a driver that imports nothing gets copies") {
  if (!in_own_process({{"IMPORT", "no"}})) return;
  PlusOne plus_one;
  const Arena arena(1);
  CHECK(plus_one.run_on(ov::Tensor(ov::element::f32, kShape, arena.page(0))) == 1);
  CHECK(last_input()["memory"] == "allocated");
}

TEST_CASE("a remote tensor over pages is imported once and stays") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(1);
  {
    const auto tensor =
        plus_one.context.create_tensor(ov::element::f32, kShape, arena.start, MemType::CPU_VA);
    for (int run = 0; run < 3; ++run) CHECK(plus_one.run_on(tensor) == 1);
    CHECK(last_input()["address"] == address_of(arena.start));
    CHECK(traced("import").size() == 1);
    CHECK(traced("free").empty());
    plus_one.request = {};
  }
  CHECK(traced("free").size() >= 1);
}

TEST_CASE("a remote tensor over half pages is an exception") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(2);
  const auto over = [&](float* start, const ov::Shape& shape) {
    plus_one.context.create_tensor(ov::element::f32, shape, start, MemType::CPU_VA);
  };
  CHECK_THROWS_WITH_AS(over(arena.page(0) + 16, kShape), doctest::Contains("not aligned"),
                       ov::Exception);
  CHECK_THROWS_WITH_AS(over(arena.page(0), {1, kNumbers - 16}), doctest::Contains("not aligned"),
                       ov::Exception);
  CHECK(traced("import").empty());
}

TEST_CASE("a region of a remote tensor is read where it lies") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(4);
  const ov::RemoteTensor whole = plus_one.context.create_tensor(
      ov::element::f32, ov::Shape{4, kNumbers}, arena.start, MemType::CPU_VA);
  for (const size_t page : {size_t{2}, size_t{0}, size_t{3}}) {
    const ov::RemoteTensor region(whole, {page, 0}, {page + 1, kNumbers});
    CHECK(plus_one.run_on(region) == static_cast<float>(page + 1));
    CHECK(last_input()["address"] == address_of(arena.page(page)));
  }
  CHECK(traced("import").size() == 1);
}

TEST_CASE("a remote tensor at an address within an import is silently the import's start") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(4);
  const auto whole = plus_one.context.create_tensor(ov::element::f32, ov::Shape{4, kNumbers},
                                                    arena.start, MemType::CPU_VA);
  const auto within =
      plus_one.context.create_tensor(ov::element::f32, kShape, arena.page(2), MemType::CPU_VA);
  CHECK(plus_one.run_on(within) == 1);  // 3 would be right
  CHECK(last_input()["address"] == address_of(arena.start));
}

TEST_CASE("a plain tensor within an import is read where it lies") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(4);
  const auto whole = plus_one.context.create_tensor(ov::element::f32, ov::Shape{4, kNumbers},
                                                    arena.start, MemType::CPU_VA);
  CHECK(plus_one.run_on(ov::Tensor(ov::element::f32, kShape, arena.page(2))) == 3);
  CHECK(last_input()["address"] == address_of(arena.page(2)));
  CHECK(traced("import").size() == 1);
}

TEST_CASE("pages that the device may not write are copied of a plain tensor") {
  if (!in_own_process({})) return;
  PlusOne plus_one;
  const Arena arena(1);
  REQUIRE(::mprotect(arena.start, kPage, PROT_READ) == 0);
  CHECK(plus_one.run_on(ov::Tensor(ov::element::f32, kShape, arena.start)) == 1);
  CHECK(last_input()["memory"] == "allocated");
  CHECK(traced("import_refused").at(0)["why"] == "not writable");
}

}  // namespace
}  // namespace npu_emulator
