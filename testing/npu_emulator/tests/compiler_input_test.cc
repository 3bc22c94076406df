// What the compiler refuses: graphs that this device does not take, with a build log that says why,
// and input that is cut off or made of noise, which must never do anything but be refused.
#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "driver.h"
#include "own_process.h"
#include "small_ir.h"

namespace npu_emulator {
namespace {

/// `ir` is refused as a graph, and both ways to the log say the same.
std::string why_refused(const std::vector<uint8_t>& ir) {
  const Compiled made = compile(ir);
  CHECK(made.result == ZeResult::kInvalidArgument);
  CHECK_FALSE(made.graph);
  CHECK(made.log != "");
  char log[1000] = {};
  uint32_t bytes = sizeof log;
  REQUIRE(driver().graph.build_log(nullptr, &bytes, log) == ZeResult::kSuccess);
  CHECK(log == made.log);
  CHECK(bytes == made.log.size() + 1);
  return made.log;
}

bool says(const std::string& text, const char* words) {
  return text.find(words) != std::string::npos;
}

TEST_CASE("static shapes only") {
  CHECK(says(why_refused(serialized(SmallIr{.shape = {-1, 16}})), "open"));
  CHECK(says(why_refused(serialized(SmallIr{.shape = {1, -1}})), "left"));
}

TEST_CASE("five dimensions at most") {
  for (size_t rank = 0; rank <= 5; ++rank) {
    const SmallIr ir{.shape = std::vector<int>(rank, 2)};
    CHECK(compile(serialized(ir)).result == ZeResult::kSuccess);
  }
  CHECK(says(why_refused(serialized(SmallIr{.shape = {1, 1, 1, 1, 1, 2}})), "rank 6"));
}

TEST_CASE("element types that it knows") {
  CHECK(says(why_refused(serialized(SmallIr{.precision = "STRING", .element_type = "string"})),
             "element type"));
}

TEST_CASE("tensors that fit a memory") {
  const int big = 1 << 30;
  CHECK(says(why_refused(serialized(SmallIr{.shape = {big, big, big}})), "larger"));
  CHECK(compile(serialized(SmallIr{.shape = {0, 16}})).result == ZeResult::kSuccess);
}

TEST_CASE("no state whatever the rules") {
  for (const char* rules : {"strict", "none"}) {
    if (!in_own_process({{"RULES", rules}})) continue;
    for (const char* operation : {"ReadValue", "Assign"}) {
      CHECK(says(why_refused(serialized(SmallIr{.operation = operation})), "state"));
    }
    CHECK(says(why_refused(serialized(SmallIr{.shape = {1, 1, 1, 1, 1, 2}})), "rank 6"));
    CHECK(says(why_refused(serialized(SmallIr{.shape = {-1}})), "open"));
  }
}

TEST_CASE("operations that an NPU takes unless there are no rules") {
  for (const char* rules : {"strict", "none"}) {
    if (!in_own_process({{"RULES", rules}})) continue;
    const auto ir = serialized(SmallIr{.operation = "Moon"});
    if (rules == std::string("none")) {
      CHECK(compile(ir).result == ZeResult::kSuccess);  // the echo takes anything
    } else {
      CHECK(says(why_refused(ir), "Moon"));
      CHECK(traced("compile_refused").size() == 1);
      CHECK(traced("compile_refused")[0]["result"] == "0x78000004");
    }
  }
}

TEST_CASE("the weights are in the buffer") {
  std::vector<uint8_t> ir = serialized(SmallIr{});
  ir[4] = 1;  // parts
  CHECK(says(why_refused(ir), "weights"));
}

TEST_CASE("an input cut at any byte is refused") {
  const uint8_t bin[] = {1, 2, 3, 4};
  const std::vector<uint8_t> whole = serialized(xml_of({}), bin);
  REQUIRE(compile(whole).result == ZeResult::kSuccess);
  for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
    // In a buffer of its own, so that a sanitizer sees whoever reads beyond it.
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(bytes));
    CAPTURE(bytes);
    CHECK(compile(cut).result == ZeResult::kInvalidArgument);
  }
}

TEST_CASE("lengths that lie are refused") {
  const std::vector<uint8_t> whole = serialized(SmallIr{});
  const size_t bin_length_at = whole.size() - 8;
  for (const size_t at : {size_t{8}, bin_length_at}) {
    for (const uint64_t length :
         {uint64_t{1}, whole.size() - 15, uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7}) {
      std::vector<uint8_t> lying = whole;
      std::memcpy(lying.data() + at, &length, sizeof length);
      CAPTURE(at);
      CAPTURE(length);
      CHECK(compile(lying).result == ZeResult::kInvalidArgument);
    }
  }
}

TEST_CASE("nothing and nowhere are no graph") {
  GraphDesc2 desc{};
  desc.first.format = kGraphFormatIr;
  desc.first.bytes = 100;
  ZeHandle graph = nullptr;
  const GraphTable& table = driver().graph;
  CHECK(table.create2(nullptr, nullptr, &desc, &graph) == ZeResult::kInvalidNullPointer);
  CHECK(table.query_create2(nullptr, nullptr, &desc, &graph) == ZeResult::kInvalidNullPointer);
  const uint8_t byte = 0;
  desc.first.input = &byte;
  desc.first.bytes = 0;
  CHECK(table.create2(nullptr, nullptr, &desc, &graph) == ZeResult::kInvalidNullPointer);
  desc.first.bytes = 1;
  desc.first.format = 3;
  CHECK(table.create2(nullptr, nullptr, &desc, &graph) == ZeResult::kInvalidEnumeration);
  CHECK(graph == nullptr);
}

TEST_CASE("noise is refused and bytes changed at random never do harm") {
  std::mt19937 random(20261125);
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> noise(1 + random() % 300);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
    if (round % 2 == 0 && noise.size() > 8) {
      const uint32_t parts = 2;
      std::memcpy(noise.data() + 4, &parts, sizeof parts);
    }
    CHECK(compile(noise).result == ZeResult::kInvalidArgument);
  }
  const std::vector<uint8_t> whole = serialized(SmallIr{.names = {"x"}});
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint8_t> changed = whole;
    for (size_t count = 1 + random() % 4; count > 0; --count) {
      changed[random() % changed.size()] = static_cast<uint8_t>(random());
    }
    const ZeResult result = compile(changed).result;
    CHECK((result == ZeResult::kSuccess || result == ZeResult::kInvalidArgument));
  }
}

TEST_CASE("each thread has the log of its own last compile") {
  CHECK(compile(serialized(SmallIr{.operation = "Moon"})).log != "");
  const auto last_log_bytes = [] {
    uint32_t bytes = 0;
    driver().graph.build_log(nullptr, &bytes, nullptr);
    return bytes;
  };
  uint32_t others = 0;
  std::thread([&] { others = last_log_bytes(); }).join();
  CHECK(others == 1);  // the end of an empty text
  CHECK(last_log_bytes() > 1);
  CHECK(compile(serialized(SmallIr{})).result == ZeResult::kSuccess);
  CHECK(last_log_bytes() == 1);
}

TEST_CASE("a compile takes at least as long as it is asked to") {
  if (!in_own_process({{"COMPILE_MS", "30"}})) return;
  REQUIRE(compile(serialized(SmallIr{})).result == ZeResult::kSuccess);
  CHECK(traced("compile").at(0)["ms"] >= 30);
}

}  // namespace
}  // namespace npu_emulator
