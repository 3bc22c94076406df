// Every fault of the README's table, each in a process of its own: what the calls before, at and
// after it give, what comes out, and that it is in the trace.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "driver.h"
#include "own_process.h"
#include "small_ir.h"

namespace npu_emulator {
namespace {

constexpr ZeResult kDone = ZeResult::kSuccess;
constexpr ZeResult kLost = ZeResult::kDeviceLost;
constexpr ZeResult kOutOfMemory = ZeResult::kOutOfDeviceMemory;

/// Faults, and what four calls in a row then give.
struct Row {
  const char* fault;
  std::vector<ZeResult> results;
  size_t faults_traced;
};

template <typename CallOnce>
void check_rows(const std::vector<Row>& rows, const CallOnce& call) {
  for (const Row& row : rows) {
    if (!in_own_process({{"FAULT", row.fault}})) continue;
    CAPTURE(row.fault);
    for (const ZeResult expected : row.results) CHECK(call() == expected);
    CHECK(traced("fault").size() == row.faults_traced);
  }
}

TEST_CASE("an execution fails at the call that was asked for") {
  struct Bench {
    Recorded recorded = record(serialized(SmallIr{}));
    Lane lane;
  };
  std::unique_ptr<Bench> bench;
  check_rows(
      {
          {"device-lost@2", {kDone, kLost, kLost, kLost}, 1},  // for ever
          {"device-reset@2", {kDone, kLost, kDone, kDone}, 1},
          {"device-reset@2+", {kDone, kLost, kLost, kLost}, 3},
          {"device-reset@*", {kLost, kLost, kLost, kLost}, 4},
          {"device-reset=5@3", {kDone, kDone, kLost, kDone}, 1},
          {"job-error@1", {ZeResult::kUnknown, kDone, kDone, kDone}, 1},
          {"run-oom@4", {kDone, kDone, kDone, kOutOfMemory}, 1},
          {"run-oom@5", {kDone, kDone, kDone, kDone}, 0},
          {"garbage@2", {kDone, kDone, kDone, kDone}, 1},
          {"zeros@*", {kDone, kDone, kDone, kDone}, 4},
          {"slow=1@*", {kDone, kDone, kDone, kDone}, 4},
          {"job-error@2,run-oom@3", {kDone, ZeResult::kUnknown, kOutOfMemory, kDone}, 2},
          {"run-oom@2,job-error@2+",
           {kDone, kOutOfMemory, ZeResult::kUnknown, ZeResult::kUnknown},
           3},
          {"submit-failure@2", {kDone, kLost, kDone, kDone}, 1},
          {"submit-failure@1,job-error@1", {kLost, ZeResult::kUnknown, kDone, kDone}, 2},
          {"compile-failure@9", {kDone, kDone, kDone, kDone}, 0},
      },
      [&] {
        if (!bench) bench = std::make_unique<Bench>();
        return bench->lane.run(bench->recorded.list.get());
      });
}

TEST_CASE("a lost device refuses everything new and says so") {
  if (!in_own_process({{"FAULT", "device-lost@1"}})) return;
  const Recorded recorded = record(serialized(SmallIr{}));
  const Lane lane;
  REQUIRE(lane.run(recorded.list.get()) == kLost);
  CHECK(driver().get_device_status(nullptr) == kLost);
  CHECK(lane.submit(recorded.list.get()) == kLost);
  ZeHandle queue = nullptr;
  CHECK(driver().create_queue(nullptr, nullptr, nullptr, &queue) == kLost);
  const Compiled made = compile(serialized(SmallIr{}));
  CHECK(made.result == kLost);
  CHECK(made.log == "the device is lost");
  CHECK(import_blob(blob_of(recorded.graph.get())).result == kLost);
}

TEST_CASE("what was submitted before the device was lost fails too") {
  if (!in_own_process({{"FAULT", "device-lost@2"}})) return;
  const Recorded recorded = record(serialized(SmallIr{}));
  const Handle queue = make_queue(), gate = make_event(), waiting = make_list();
  ZeHandle event = gate.get(), list = recorded.list.get();
  driver().append_wait(waiting.get(), 1, &event);
  driver().close_list(waiting.get());
  ZeHandle first = waiting.get();
  driver().execute(queue.get(), 1, &first, nullptr);
  const Handle fences[] = {make_fence(), make_fence(), make_fence()};
  for (const Handle& fence : fences) {
    REQUIRE(driver().execute(queue.get(), 1, &list, fence.get()) == kDone);
  }
  driver().signal_event(gate.get());
  CHECK(driver().wait_for_fence(fences[0].get(), kForEver) == kDone);
  CHECK(driver().wait_for_fence(fences[1].get(), kForEver) == kLost);
  CHECK(driver().wait_for_fence(fences[2].get(), kForEver) == kLost);
}

TEST_CASE("garbage and zeros are in the outputs and nowhere else") {
  for (const auto& [fault, byte] : {std::pair{"garbage@2", 0xff}, {"zeros@2", 0}}) {
    if (!in_own_process({{"FAULT", fault}})) continue;
    const Recorded recorded = record(serialized(SmallIr{}));
    const Lane lane;
    for (int at = 0; at < 16; ++at) recorded.numbers(0)[at] = 5;
    for (int at = 0; at < 20; ++at) recorded.numbers(2)[at] = 6;
    REQUIRE(lane.run(recorded.list.get()) == kDone);
    CHECK(recorded.numbers(2)[15] == 5);
    REQUIRE(lane.run(recorded.list.get()) == kDone);
    const auto* out = reinterpret_cast<const unsigned char*>(recorded.numbers(2));
    for (int at = 0; at < 64; ++at) CHECK(out[at] == byte);
    CHECK(recorded.numbers(2)[16] == 6);
    CHECK(recorded.numbers(0)[0] == 5);
    REQUIRE(lane.run(recorded.list.get()) == kDone);
    CHECK(recorded.numbers(2)[15] == 5);
  }
}

TEST_CASE("a slow execution takes as long as it is asked to and gives the right result") {
  if (!in_own_process({{"FAULT", "slow=40@1"}})) return;
  const Recorded recorded = record(serialized(SmallIr{}));
  const Lane lane;
  recorded.numbers(0)[3] = 9;
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(lane.submit(recorded.list.get()) == kDone);
  CHECK(lane.wait(1) == ZeResult::kNotReady);
  REQUIRE(lane.wait() == kDone);
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(40));
  CHECK(recorded.numbers(2)[3] == 9);
}

/// Comes back when the trace says that the device hangs.
void wait_for_hang() {
  while (traced("fault").empty()) std::this_thread::yield();
}

/// Whether all is as it should be while the second execution hangs.
bool sees_the_hang() {
  const Recorded recorded = record(serialized(SmallIr{}));
  ZeHandle list = recorded.list.get();
  const Lane lane, other;
  const Handle behind = make_fence();
  bool right = lane.run(list) == kDone;
  right &= lane.submit(list) == kDone;
  wait_for_hang();
  right &= lane.wait(0) == ZeResult::kNotReady;
  right &= lane.wait(20'000'000) == ZeResult::kNotReady;
  // What is submitted to the same queue waits behind it, and another queue goes on.
  right &= driver().execute(lane.queue.get(), 1, &list, behind.get()) == kDone;
  right &= driver().wait_for_fence(behind.get(), 1'000'000) == ZeResult::kNotReady;
  right &= other.run(list) == kDone;
  return right;
}

TEST_CASE("a hang is a fence that does not come and the process can still be ended") {
  constexpr int kAsItShould = 42;
  const OwnProcess process = run_own_process({{"FAULT", "hang@2"}});
  if (process.is_here) ::_exit(sees_the_hang() ? kAsItShould : 1);
  if (process.ended) CHECK(process.ended->exit_code == kAsItShould);
}

TEST_CASE("a queue that hangs is destroyed without waiting and the process ends in order") {
  for (const char* fault : {"hang@1", "hang@*"}) {
    if (!in_own_process({{"FAULT", fault}})) continue;
    const Recorded recorded = record(serialized(SmallIr{}));
    for (int round = 0; round < 3; ++round) {
      const Lane lane;
      REQUIRE(lane.submit(recorded.list.get()) == kDone);
      wait_for_hang();
    }
  }
}

TEST_CASE("a crash ends the process by its signal") {
  for (const auto& [fault, signal] : {std::pair{"crash@2", SIGABRT}, {"segfault@2", SIGSEGV}}) {
    const OwnProcess process = run_own_process({{"FAULT", fault}});
    if (process.is_here) {
      std::signal(signal, SIG_DFL);  // doctest's handlers would make a test report of it
      const Recorded recorded = record(serialized(SmallIr{}));
      const Lane lane;
      REQUIRE(lane.run(recorded.list.get()) == kDone);
      lane.run(recorded.list.get());
      ::_exit(1);  // nothing has happened
    }
    if (!process.ended) continue;
    CAPTURE(fault);
    CAPTURE(process.ended->output);
    CHECK(process.ended->signal == signal);
  }
}

TEST_CASE("allocations and imports are counted together") {
  const auto allocate = [] {
    const ZeHostMemoryDesc desc{};
    void* address = nullptr;
    return driver().allocate(nullptr, &desc, 4096, 0, &address);
  };
  bool import_next = false;
  const auto allocate_or_import = [&] {
    import_next = !import_next;
    if (!import_next) return allocate();
    void* pages = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ZeImportUserMemory import{
        .header = {kZeImportUserMemory, nullptr}, .address = pages, .bytes = 4096};
    const ZeHostMemoryDesc desc{.header = {0, &import.header}, .flags = 0};
    return driver().allocate(nullptr, &desc, 4096, 0, &pages);
  };
  check_rows({{"alloc-oom@2", {kDone, kOutOfMemory, kDone, kDone}, 1},
              {"alloc-oom@3+", {kDone, kDone, kOutOfMemory, kOutOfMemory}, 2},
              {"alloc-oom@1,alloc-oom@4", {kOutOfMemory, kDone, kDone, kOutOfMemory}, 2}},
             allocate_or_import);
}

TEST_CASE("a compile fails with a code and a log") {
  std::string log;
  const auto compile_once = [&log] {
    const Compiled made = compile(serialized(SmallIr{}));
    CHECK(made.log.empty() == (made.result == kDone));
    log = made.log;
    return made.result;
  };
  check_rows(
      {{"compile-failure@2", {kDone, ZeResult::kUnknown, kDone, kDone}, 1},
       {"compile-oom@2+",
        {kDone, ZeResult::kOutOfHostMemory, ZeResult::kOutOfHostMemory, ZeResult::kOutOfHostMemory},
        3},
       {"compile-oom@1,compile-failure@2",
        {ZeResult::kOutOfHostMemory, ZeResult::kUnknown, kDone, kDone},
        2},
       {"foreign-blob@*", {kDone, kDone, kDone, kDone}, 0}},
      compile_once);
  if (!in_own_process({{"FAULT", "compile-failure@1"}})) return;
  CHECK(compile_once() == ZeResult::kUnknown);
  CHECK(log.find("asked for") != std::string::npos);
}

TEST_CASE("a blob is refused as another driver's") {
  std::vector<uint8_t> blob;
  check_rows({{"foreign-blob@2", {kDone, ZeResult::kInvalidNativeBinary, kDone, kDone}, 1}}, [&] {
    if (blob.empty()) blob = blob_of(compile(serialized(SmallIr{})).graph.get());
    const Compiled made = import_blob(blob);
    CHECK((made.log.find("another driver version") != std::string::npos) == !made.graph);
    return made.result;
  });
}

}  // namespace
}  // namespace npu_emulator
