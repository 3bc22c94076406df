// Faults of the NPU: every one that the emulated driver has becomes one error of the engine's
// interface, and the process can still end as it likes.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "engine/baked.h"
#include "engine/emulated.h"
#include "engine/step_buffers.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

const Baked& npu_bundle() {
  static const Baked baked("qwen3", {.weights = WeightChoice::kInt4, .context = 64});
  return baked;
}

const char* name_of(Code code) {
  switch (code) {
    case Code::kCompileFailed:
      return "compile failed";
    case Code::kOutOfMemory:
      return "out of memory";
    case Code::kDeviceLost:
      return "device lost";
    case Code::kBadOutput:
      return "bad output";
    case Code::kNoDevice:
      return "no device";
    default:
      return "another code";
  }
}

std::string outcome_of(const Status& status) {
  return status ? "done" : name_of(status.error().code);
}

/// Opens the window plan, binds it, runs three steps, and reports how each went.
void open_and_step(bool fallback) {
  Result<Bundle> bundle = Bundle::open(asked("OVENBIRD_TEST_BUNDLE"));
  REQUIRE(bundle);
  EngineOptions options = on_device("window");
  options.fallback = fallback;
  options.blob_cache = false;
  Json notes = Json::array();
  options.on_note = [&](const std::string& note) { notes.push_back(note); };
  Result<OpenedEngine> opened = open_engine(*bundle, options);
  if (!opened) {
    report({{"open", name_of(opened.error().code)}, {"words", opened.error().message}});
    return;
  }
  Engine& engine = *opened->engine;
  Json told{{"open", "done"}, {"device", engine.device()}, {"passed_over", opened->notes}};
  OwnedBuffers buffers(engine.graphs()[0], bundle->manifest());
  const Result<Engine::Binding> binding = engine.bind(0, buffers.step);
  told["bind"] = binding ? "done" : name_of(binding.error().code);
  told["words"] = binding ? "" : binding.error().message;
  for (int step = 0; binding && step < 3; ++step) {
    const Status done = engine.step(*binding, {.width = 128, .past = 0});
    told["steps"].push_back(outcome_of(done));
    if (!done) told["words"] = done.error().message;
  }
  told["notes"] = notes;
  report(told);
}

TEST_CASE("child: open and step" * doctest::skip()) { open_and_step(false); }
TEST_CASE("child: open and step on any device" * doctest::skip()) { open_and_step(true); }

/// What a process of its own saw under these faults.
Json told_under(const std::string& fault, Environment settings = {},
                const char* child = "child: open and step") {
  settings["OVENBIRD_TEST_BUNDLE"] = npu_bundle().path().string();
  if (!fault.empty()) settings["FAULT"] = fault;
  const EmulatedRun run = run_emulated(child, settings);
  CAPTURE(fault);
  CAPTURE(run.output);
  CHECK(run.exit_code == 0);  // an orderly end, with destructors
  REQUIRE(run.reports.size() == 1);
  return run.reports[0];
}

Json steps(std::initializer_list<const char*> outcomes) {
  Json list = Json::array();
  for (const char* outcome : outcomes) list.push_back(outcome);
  return list;
}

TEST_CASE("without a fault all is done") {
  const Json told = told_under("");
  CHECK(told["device"] == "NPU");
  CHECK(told["notes"].empty());
  CHECK(told["steps"] == steps({"done", "done", "done"}));
}

TEST_CASE("a fault of one step is one typed error, and says which step of what failed") {
  struct Case {
    const char* fault;
    Json outcomes;
  };
  for (const Case& fault : {
           Case{"device-lost@2", steps({"done", "device lost", "device lost"})},
           Case{"device-reset@2", steps({"done", "device lost", "done"})},
           Case{"device-reset=30@2", steps({"done", "device lost", "done"})},
           Case{"job-error@2", steps({"done", "device lost", "done"})},
           Case{"submit-failure@2", steps({"done", "device lost", "done"})},
           Case{"run-oom@2", steps({"done", "out of memory", "done"})},
           Case{"garbage@2", steps({"done", "bad output", "done"})},
           Case{"zeros@2", steps({"done", "bad output", "done"})},
           Case{"slow=30@2", steps({"done", "done", "done"})},
           Case{"garbage@1+", steps({"bad output", "bad output", "bad output"})},
       }) {
    const Json told = told_under(fault.fault);
    CAPTURE(fault.fault);
    CHECK(told["steps"] == fault.outcomes);
    const std::string words = told["words"];
    if (std::string(fault.fault).starts_with("slow")) continue;
    CHECK(words.starts_with("step openvino_model.xml on NPU: "));
    CHECK(words.find('\n') == std::string::npos);
  }
}

TEST_CASE("a graph that does not compile is an error, or the next device's") {
  const Json told = told_under("compile-failure@*");
  CHECK(told["open"] == "compile failed");
  CHECK(told["words"].get<std::string>().find("a fault that was asked for") != std::string::npos);

  const Json fallen = told_under("compile-failure@*", {}, "child: open and step on any device");
  CHECK(fallen["device"] == "CPU");
  CHECK(fallen["steps"] == steps({"done", "done", "done"}));
  CHECK(fallen["passed_over"][0].get<std::string>().starts_with("NPU not used: compile"));
}

TEST_CASE("a compiler without memory folds the graph, and if that fails says so") {
  const Json folded = told_under("compile-oom@1");
  CHECK(folded["device"] == "NPU");
  CHECK(folded["steps"] == steps({"done", "done", "done"}));
  REQUIRE(folded["notes"].size() == 1);
  CHECK(folded["notes"][0].get<std::string>().find("folded") != std::string::npos);

  CHECK(told_under("compile-oom@*")["open"] == "out of memory");
}

TEST_CASE("a device without memory is an error of its own") {
  CHECK(told_under("", {{"MEMORY_MIB", "0"}})["open"] == "out of memory");
  // Not even what the plugin would copy into.
  const Json none = told_under("alloc-oom@2+");
  CHECK(none["bind"] == "out of memory");
  CHECK(none["words"].get<std::string>().find("--recipe lean") != std::string::npos);
}

TEST_CASE("memory that cannot be imported is copied, whether all or one piece of it") {
  // The first import only tries whether imports work; the others are the step's memory.
  for (const char* fault : {"alloc-oom@1", "alloc-oom@2", "alloc-oom@4"}) {
    CAPTURE(fault);
    const Json told = told_under(fault);
    CHECK(told["steps"] == steps({"done", "done", "done"}));
    REQUIRE(told["notes"].size() == 1);
    CHECK(told["notes"][0].get<std::string>().find("ovenbird doctor") != std::string::npos);
  }
}

TEST_CASE("a device that is lost is no reason to crash when the process ends") {
  for (int round = 0; round < 3; ++round) told_under("device-lost@1");
}

TEST_CASE("a crash of the driver ends the process, by the signal that it is") {
  const Environment settings{{"OVENBIRD_TEST_BUNDLE", npu_bundle().path().string()}};
  for (const auto& [fault, signal] : {std::pair("crash@2", SIGABRT), {"segfault@2", SIGSEGV}}) {
    Environment asked_for = settings;
    asked_for["FAULT"] = fault;
    const EmulatedRun run = run_emulated("child: open and step", asked_for);
    CHECK(run.signal == signal);
    CHECK(run.events("fault").size() == 1);
  }
}

constexpr int kWatchdogExit = 42;

TEST_CASE("child: a watchdog ends a hanging step" * doctest::skip()) {
  // Sees the hang in the trace, as a supervisor would see it on a clock.
  std::thread([] {
    for (;;) {
      const std::vector<Json> trace = trace_so_far();
      const bool hangs = std::any_of(trace.begin(), trace.end(), [](const Json& line) {
        return line["event"] == "fault" && line["kind"] == "hang";
      });
      if (hangs) ::_exit(kWatchdogExit);
      std::this_thread::yield();
    }
  }).detach();
  open_and_step(false);
}

TEST_CASE("a hang is the watchdog's to see, and the process can be ended") {
  const EmulatedRun run =
      run_emulated("child: a watchdog ends a hanging step",
                   {{"FAULT", "hang@2"}, {"OVENBIRD_TEST_BUNDLE", npu_bundle().path().string()}});
  CHECK(run.exit_code == kWatchdogExit);
  CHECK(run.reports.empty());  // the step never came back
}

}  // namespace
}  // namespace ovenbird
