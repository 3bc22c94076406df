// The device ladder: what is used, and what is said about what is not.
#include "engine/open_engine.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "doctor/elf_file.h"
#include "doctor/example_machine.h"
#include "engine/baked.h"
#include "engine/npu_probe.h"
#include "engine/openvino_engine.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

const Baked& tiny() {
  static const Baked baked("qwen3");
  return baked;
}

EngineOptions on(const std::string& device, bool fallback = true) {
  return {.plan = "window", .device = device, .fallback = fallback, .threads = 2};
}

bool is_one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == std::string::npos;
}

TEST_CASE("the CPU is there, and nothing needs to be said about it") {
  const Result<OpenedEngine> opened = open_engine(tiny().open(), on("CPU", false));
  REQUIRE(opened);
  CHECK(opened->engine->device() == "CPU");
  CHECK(opened->notes.empty());
  REQUIRE(opened->engine->graphs().size() == 1);
  CHECK(opened->engine->graphs()[0].file == kWindowGraphName);
}

TEST_CASE("a device that is missing is passed over with one line that says why") {
  if (why_not_offered("NPU").empty() || why_not_offered("GPU").empty()) return;
  for (const char* device : {"NPU", "auto"}) {
    const Result<OpenedEngine> opened = open_engine(tiny().open(), on(device));
    REQUIRE(opened);
    CHECK(opened->engine->device() == "CPU");
    REQUIRE(opened->notes.size() == 2);
    CHECK(opened->notes[0].starts_with("NPU not used: "));
    CHECK(opened->notes[0].find(why_no_npu()) != std::string::npos);
    CHECK(opened->notes[1].starts_with("GPU not used: "));
    for (const std::string& note : opened->notes) CHECK(is_one_line(note));
  }
  const Result<OpenedEngine> from_gpu = open_engine(tiny().open(), on("GPU"));
  REQUIRE(from_gpu);
  CHECK(from_gpu->notes.size() == 1);
}

TEST_CASE("without fallback a missing device is an error that says why") {
  if (why_not_offered("NPU").empty()) return;
  const Result<OpenedEngine> opened = open_engine(tiny().open(), on("NPU", false));
  REQUIRE(!opened);
  CHECK(opened.error().code == Code::kNoDevice);
  CHECK(opened.error().message.find("NPU: " + why_no_npu()) != std::string::npos);
  CHECK(is_one_line(opened.error().message));
}

TEST_CASE("a device or plan that does not exist is an error at once") {
  for (const char* device : {"", "cpu", "TPU", "CPU.0", "AUTO"}) {
    const Result<OpenedEngine> opened = open_engine(tiny().open(), on(device));
    REQUIRE(!opened);
    CHECK(opened.error().code == Code::kInvalidArgument);
    CHECK(opened.error().message.find("NPU, GPU, CPU or auto") != std::string::npos);
  }
  const Result<OpenedEngine> opened = open_engine(tiny().open(), {.plan = "other"});
  REQUIRE(!opened);
  CHECK(opened.error().code == Code::kInvalidArgument);
}

TEST_CASE("a graph that is no graph is an error of one line") {
  const Baked baked("qwen3");
  const Bundle bundle = baked.open();
  for (const std::string xml : {"", "<net", "not XML at all", "<net/>"}) {
    std::ofstream(bundle.file(kWindowGraphName)) << xml;
    EngineOptions options = on("CPU");
    options.blob_cache = false;
    const Result<OpenedEngine> opened = open_engine(bundle, options);
    REQUIRE(!opened);
    CHECK(is_one_line(opened.error().message));
    CHECK(opened.error().message.find(kWindowGraphName) != std::string::npos);
  }
}

TEST_CASE("why there is no NPU is doctor's first problem, how to mend it, and where to ask") {
  ExampleMachine machine;
  machine.remove_node();
  machine.remove("sys/module");
  machine.write("proc/modules", "");
  const std::string why = why_no_npu(machine.root());
  CHECK(why ==
        "module intel_vpu: not loaded; sudo modprobe intel_vpu; `ovenbird doctor` says more");

  ExampleMachine old;
  old.remove("sys/bus/pci/devices/0000:00:0b.0");
  old.write("proc/cpuinfo", "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n");
  CHECK(why_no_npu(old.root()) ==
        "AMD EPYC: this CPU has no Intel NPU; `ovenbird doctor` says more");

  ExampleMachine other;
  other.set_mode("dev/accel/accel0", 0);
  CHECK(why_no_npu(other.root()).starts_with("permission: /dev/accel/accel0 has group render"));
}

TEST_CASE("an OpenVINO without its NPU plugin is why there is no NPU") {
  const TemporaryDirectory without_plugin;
  for (const std::string& library : read_elf("/proc/self/exe").needed) {
    if (library.starts_with("libopenvino.so")) without_plugin.write(library, "");
  }
  const char* const old = std::getenv("LD_LIBRARY_PATH");
  const std::string old_path = old ? old : "";
  REQUIRE(::setenv("LD_LIBRARY_PATH", without_plugin.path().c_str(), 1) == 0);
  const ExampleMachine whole;
  const std::string why = why_no_npu(whole.root());
  if (old) ::setenv("LD_LIBRARY_PATH", old_path.c_str(), 1);
  if (!old) ::unsetenv("LD_LIBRARY_PATH");
  CHECK(why.starts_with("OpenVINO plugin: there is no libopenvino_intel_npu_plugin.so in "));
}

TEST_CASE("why there is no NPU is one line, whatever the machine") {
  const ExampleMachine whole;
  const TemporaryDirectory empty;
  for (const fs::path& root : {whole.root(), empty.path(), empty.path() / "nothing"}) {
    CHECK(is_one_line(why_no_npu(root)));
    CHECK(why_no_npu(root).ends_with("`ovenbird doctor` says more"));
  }
}

}  // namespace
}  // namespace ovenbird
