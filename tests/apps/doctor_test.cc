// doctor as a user sees it: on this machine, with engines that misbehave, and as a table of the
// broken machines of tests/doctor.
#include "doctor_command.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "bundle/bundle.h"
#include "doctor/example_machine.h"
#include "memory_needs.h"
#include "program.h"

namespace ovenbird {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A directory whose libze_loader.so.1 is named by LD_LIBRARY_PATH, so that the self-test is run,
/// and a script that stands in for ovenbird-engine.
class StandIns {
 public:
  explicit StandIns(const std::string& script) {
    directory_.write("libze_loader.so.1", "");
    const auto engine = directory_.write("engine", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(engine, std::filesystem::perms::owner_all);
  }
  std::vector<std::string> environment() const {
    return {"LD_LIBRARY_PATH=" + directory_.path().string(),
            "OVENBIRD_ENGINE=" + (directory_.path() / "engine").string()};
  }

 private:
  TemporaryDirectory directory_;
};

constexpr const char* kGoodAnswer =
    R"(echo '{"listed":true,"name":"Emulated","architecture":"4000","driver":"17",)"
    R"("failed_step":"","error":"","imports_pages":true,"import_error":""}')";

TEST_CASE("on this machine, doctor says whether an NPU can be used, and its exit code does") {
  const Finished finished = run_program({"doctor"}, "", {"LD_LIBRARY_PATH="});
  INFO(finished.out);
  CHECK(finished.err == "");
  CHECK((finished.exit_code == 0 || finished.exit_code == 4));
  CHECK(contains(finished.out, "CPU"));
  CHECK(contains(finished.out,
                 finished.exit_code == 0 ? "\nan NPU can be used\n" : "\nno NPU can be used"));
}

TEST_CASE("--json is one object with every finding") {
  const Finished finished = run_program({"doctor", "--json"}, "", {"LD_LIBRARY_PATH="});
  const auto json = nlohmann::json::parse(finished.out);
  CHECK(json["usable"].get<bool>() == (finished.exit_code == 0));
  CHECK(json["arena_is_assumed"] == true);
  CHECK(json["arena_bytes"] == 512 << 20);
  REQUIRE(json["findings"].size() == 15);
  for (const auto& finding : json["findings"]) {
    CHECK(finding.size() == 5);
    CHECK(finding["mend"].is_array());
    const bool is_first = finding["state"] == "problem";
    if (is_first) {
      CHECK(json["first_problem"] == finding["id"]);
      break;
    }
  }
}

TEST_CASE("a bundle's own cache is what the memory limit is held against") {
  const std::string& bundle = baked_golden("qwen3");
  const Finished finished = run_program({"doctor", "--json", bundle});
  const auto json = nlohmann::json::parse(finished.out);
  CHECK(json["arena_is_assumed"] == false);
  CHECK(json["arena_bytes"] == memory_needs(Bundle::open(bundle)->manifest()).slot);
}

TEST_CASE("a bundle that is not there is exit code 3") {
  check_failure(run_program({"doctor", "/nothing/here"}), 3);
}

TEST_CASE("the engine knows the command too, and self-tests without an NPU to be found") {
  const Finished finished = run_program({"doctor"}, "", {"LD_LIBRARY_PATH="});
  const StandIns loader("exec " OVENBIRD_PROGRAM "-engine doctor");
  const Finished same =
      run_program({"bake", "b"}, "", {"LD_LIBRARY_PATH=", loader.environment()[1]});
  CHECK(same.exit_code == finished.exit_code);
  CHECK(contains(same.out, "NPU can be used"));
}

TEST_CASE("a loader that stands in for the system's is tried, and called so") {
  const StandIns good(kGoodAnswer);
  const Finished finished = run_program({"doctor"}, "", good.environment());
  INFO(finished.out);
  CHECK(finished.exit_code == 0);
  CHECK(
      contains(finished.out, "an NPU can be used, through the loader that LD_LIBRARY_PATH names"));
  CHECK(contains(finished.out, "it computes: Emulated, platform 4000, driver 17"));
}

TEST_CASE("an engine that dies, talks nonsense or is not there is a finding, not a crash") {
  for (const auto& [script, words] : {std::pair{"kill -SEGV $$", "signal 11 (Segmentation fault)"},
                                      {"echo hello", "nonsense"},
                                      {"exit 7", "exit code 7"}}) {
    const StandIns bad(script);
    const Finished finished = run_program({"doctor"}, "", bad.environment());
    CHECK(finished.exit_code == 4);
    CHECK(finished.err == "");
    CHECK(contains(finished.out, words));
    CHECK(contains(finished.out, "no NPU can be used"));
  }
  const StandIns none("");
  const Finished finished =
      run_program({"doctor"}, "", {none.environment()[0], "OVENBIRD_ENGINE=/nothing/engine"});
  CHECK(finished.exit_code == 4);
  CHECK(contains(finished.out, "/nothing/engine: No such file"));
}

TEST_CASE("the driver of the system's loader is tried by OpenVINO itself, in a process") {
  // An empty file is no loader: OpenVINO looks at it, lists no NPU, and says so.
  const StandIns loader("exec " OVENBIRD_PROGRAM "-engine \"$@\"");
  const Finished finished = run_program({"doctor", "--json"}, "", loader.environment());
  INFO(finished.out);
  CHECK(finished.exit_code == 4);
  CHECK(contains(finished.out, "OpenVINO does not list the NPU"));
}

/// `ovenbird doctor --json` on the emulated driver, with one setting of its own.
nlohmann::json on_emulator(const std::string& setting, int exit_code) {
  const Finished finished =
      run_program({"doctor", "--json"}, "", {"LD_LIBRARY_PATH=" OVENBIRD_NPU_EMULATOR, setting});
  INFO(setting << "\n" << finished.out);
  CHECK(finished.exit_code == exit_code);
  CHECK(finished.err == "");
  return nlohmann::json::parse(finished.out);
}

/// The finding of that id, as "STATE: SEEN".
std::string finding_text(const nlohmann::json& json, const std::string& id) {
  for (const auto& finding : json["findings"]) {
    if (finding["id"] != id) continue;
    return finding["state"].get<std::string>() + ": " + finding["seen"].get<std::string>();
  }
  return "";
}

TEST_CASE("on the emulated driver: it computes, and pages are imported unless the driver is old") {
  const auto whole = on_emulator("NPU_EMULATOR_PLATFORM=3720", 0);
  CHECK(whole["usable"] == true);
  CHECK(contains(finding_text(whole, "loader"), "warning: " OVENBIRD_NPU_EMULATOR));
  CHECK(contains(finding_text(whole, "self_test"), "ok: it computes: "));
  CHECK(contains(finding_text(whole, "self_test"), ", platform 3720, driver "));
  CHECK(finding_text(whole, "import").starts_with("ok: "));
  const auto old = on_emulator("NPU_EMULATOR_IMPORT=no", 0);
  CHECK(finding_text(old, "self_test").starts_with("ok: "));
  CHECK(finding_text(old, "import").starts_with("warning: memory is copied at every step: "));
}

TEST_CASE("on the emulated driver: every fault is found, with its step") {
  for (const auto& [fault, words] :
       {std::pair{"crash@1", "signal 6 (Aborted); at step \"run\""},
        {"segfault@2", "signal 11 (Segmentation fault); at step \"import\""},
        {"device-lost@1", "does not run: "},
        {"compile-failure@1", "does not compile: "},
        {"garbage@1", "it computes wrong numbers"},
        {"zeros@2", "pages are imported, but results do not arrive in them"}}) {
    const auto json = on_emulator("NPU_EMULATOR_FAULT=" + std::string(fault), 4);
    CHECK(json["usable"] == false);
    CHECK(contains(finding_text(json, "self_test"), words));
    CHECK(finding_text(json, "import").starts_with("skipped: "));
  }
}

/// Printable ASCII, no blanks at the ends of lines; at most 100 columns, but for mends.
void check_table(const Examination& examination) {
  const std::string table = doctor_table(examination);
  INFO(table);
  for (size_t at = 0; at < table.size();) {
    const size_t end = table.find('\n', at);
    REQUIRE(end != std::string::npos);
    const std::string line = table.substr(at, end - at);
    if (!line.starts_with("         > ")) CHECK(line.size() <= 100);
    CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
    CHECK(!line.ends_with(" "));
    at = end + 1;
  }
}

TEST_CASE("the table of a whole machine and of broken ones") {
  ExampleMachine machine;
  machine.arena.is_assumed = true;
  const Examination whole{
      .findings = machine.findings(), .self_test = machine.self_test, .arena = machine.arena};
  check_table(whole);
  CHECK(doctor_table(whole).ends_with("\nan NPU can be used\n"));

  machine.set_mode("dev/accel/accel0", 0600);
  machine.replace("proc/self/limits", "8388608000", "65536");
  machine.remove("opt/openvino/libopenvino_intel_npu_compiler.so");
  machine.write(".dockerenv", "");
  const Examination broken{.findings = machine.findings()};
  check_table(broken);
  CHECK(contains(doctor_table(broken), "\nproblem  permission         /dev/accel/accel0 has "));
  CHECK(contains(doctor_table(broken), "\n         > "));
  CHECK(doctor_table(broken).ends_with("\nno NPU can be used; begin with: permission\n"));
}

TEST_CASE("what mends stands on one line, however long: half a command must not be pasted") {
  const std::string command = "echo '" + std::string(60, 'x') + "  two  blanks' | sudo tee " +
                              std::string(120, 'y') + " # as it is";
  const Examination examination{.findings = {{.id = "cpu", .title = "CPU", .mend = {command}}}};
  check_table(examination);
  CHECK(contains(doctor_table(examination), "\n         > " + command + "\n"));
}

TEST_CASE("texts from outside do not break the table or the JSON") {
  const std::string wild = "\xff\x01 \n\t " + std::string(300, 'x') + " \xc3\xa9";
  const Examination examination{.findings = {{.id = "cpu",
                                              .state = Finding::State::kProblem,
                                              .title = "CPU",
                                              .seen = wild,
                                              .mend = {wild, "", " ", std::string(100, 'y')}},
                                             {.id = "pci", .title = "PCI device", .seen = ""}}};
  check_table(examination);
  const auto json = nlohmann::json::parse(doctor_json(examination));
  CHECK(json["findings"][0]["mend"].size() == 4);
  CHECK(json["first_problem"] == "cpu");
}

}  // namespace
}  // namespace ovenbird
