// The device ladder: what is used, and what is said about what is not.
#include "engine/open_engine.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// Why a machine whose files lie under `root` has no NPU, as asked by a user without rights.
std::string asked_by_nobody(const fs::path& root) {
  int answer[2];
  REQUIRE(::pipe(answer) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    const std::string why = why_no_npu(root);
    ::_exit(::write(answer[1], why.data(), why.size()) < 0 ? 1 : 0);
  }
  ::close(answer[1]);
  std::string why(1000, '\0');
  const ssize_t bytes = ::read(answer[0], why.data(), why.size());
  ::close(answer[0]);
  ::waitpid(child, nullptr, 0);
  why.resize(bytes > 0 ? static_cast<size_t>(bytes) : 0);
  return why;
}

TEST_CASE("no node of an accelerator: no device") {
  const TemporaryDirectory root;
  CHECK(why_no_npu(root.path()).starts_with("no device: "));
  fs::create_directories(root.path() / "dev" / "accel");
  CHECK(why_no_npu(root.path()).starts_with("no device: "));
  root.write("dev/accel/other", "");
  CHECK(why_no_npu(root.path()).starts_with("no device: "));
  CHECK(why_no_npu(root.path() / "dev" / "accel" / "other").starts_with("no device: "));
}

TEST_CASE("a node that may not be opened: no permission, and the group that has it") {
  const TemporaryDirectory root;
  fs::create_directories(root.path() / "dev" / "accel");
  const fs::path node = root.write("dev/accel/accel0", "");
  fs::permissions(root.path(),
                  fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  fs::permissions(node, fs::perms::none);
  const std::string why = asked_by_nobody(root.path());
  CHECK(why.starts_with("no permission: "));
  CHECK(why.find(node.string()) != std::string::npos);
  CHECK(why.find("usermod -aG") != std::string::npos);
  CHECK(is_one_line(why));
}

TEST_CASE("a node that may be opened: the driver is to blame") {
  const TemporaryDirectory root;
  fs::create_directories(root.path() / "dev" / "accel");
  root.write("dev/accel/accel0", "");
  const std::string why = why_no_npu(root.path());
  CHECK((why.starts_with("no driver: ") || why.starts_with("OpenVINO does not list it")));
  CHECK(is_one_line(why));
}

}  // namespace
}  // namespace ovenbird
