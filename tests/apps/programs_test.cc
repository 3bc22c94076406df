// The two programs as a shell sees them: streams, exit codes, and what they are linked with.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <string>

#include "exit_status.h"
#include "program.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

/// What `command` writes to standard output.
std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  std::array<char, 4096> part;
  size_t bytes = 0;
  while ((bytes = std::fread(part.data(), 1, part.size(), pipe)) > 0)
    text.append(part.data(), bytes);
  ::pclose(pipe);
  return text;
}

TEST_CASE("every code of an error has the exit code of the manual") {
  CHECK(exit_status(Code::kInvalidArgument) == 2);
  CHECK(exit_status(Code::kNotFound) == 3);
  CHECK(exit_status(Code::kCorrupt) == 3);
  CHECK(exit_status(Code::kUnsupported) == 3);
  CHECK(exit_status(Code::kNoDevice) == 4);
  CHECK(exit_status(Code::kInterrupted) == 5);
  CHECK(exit_status(Code::kIo) == 1);
  CHECK(exit_status(Code::kDeviceLost) == 1);
  CHECK(exit_status(Code::kInternal) == 1);
}

TEST_CASE("ovenbird needs neither OpenVINO nor libcurl, ovenbird-engine does") {
  const std::string front = output_of("readelf -d " OVENBIRD_PROGRAM " | grep NEEDED");
  const std::string engine = output_of("readelf -d " OVENBIRD_PROGRAM "-engine | grep NEEDED");

  CHECK(front.find("libc.so") != std::string::npos);
  CHECK(front.find("openvino") == std::string::npos);
  CHECK(front.find("tbb") == std::string::npos);
  CHECK(front.find("curl") == std::string::npos);
  CHECK(engine.find("libopenvino.so") != std::string::npos);
  CHECK(engine.find("libcurl.so") != std::string::npos);
}

TEST_CASE("help and version go to standard output, exit code 0") {
  for (const std::string flag : {"--help", "--version"}) {
    const Finished finished = run_program({flag});
    CHECK(finished.exit_code == 0);
    CHECK(finished.err == "");
    CHECK(finished.out.find("ovenbird") != std::string::npos);
  }
}

TEST_CASE("wrong usage is one line on standard error, exit code 2") {
  check_failure(run_program({}), 2);
  check_failure(run_program({"dance"}), 2);
  check_failure(run_program({"run", "bundle", "--bogus"}), 2);
  check_failure(run_program({"bake", "model.gguf", "--weights", "gguf"}), 2);  // the engine says it
}

TEST_CASE("a bundle or source that is not there is exit code 3") {
  check_failure(run_program({"inspect", "/nothing/here"}), 3);
  check_failure(run_program({"bake", "/nothing/here"}), 3);
  check_failure(run_program({"bake", "--model_id", "Org/Model"}, "",
                            {"HF_HUB_CACHE=/nothing", "HF_HUB_OFFLINE=1"}),
                3);
}

TEST_CASE("an engine that cannot be started is exit code 1, and names the variable") {
  const Finished finished =
      run_program({"bake", "model.gguf"}, "", {"OVENBIRD_ENGINE=/nothing/engine"});
  CHECK(check_failure(finished, 1).find("OVENBIRD_ENGINE") != std::string::npos);
}

TEST_CASE("another engine can be named, and gets the same arguments") {
  const TemporaryDirectory directory;
  const auto script = directory.write("engine", "#!/bin/sh\nfor word; do echo \"<$word>\"; done\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);

  const Finished finished = run_program({"bake", "b", "-o", "two words", "--force"}, "",
                                        {"OVENBIRD_ENGINE=" + script.string()});

  CHECK(finished.exit_code == 0);
  CHECK(finished.out == "<bake>\n<b>\n<-o>\n<two words>\n<--force>\n");
}

TEST_CASE("a full disk behind standard output is a failure") {
  const std::string codes = output_of(OVENBIRD_PROGRAM " --help 2>/dev/null >/dev/full; echo $?");
  CHECK(codes == "1\n");
}

}  // namespace
}  // namespace ovenbird
