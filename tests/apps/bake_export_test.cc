// Exports of optimum-intel, baked, inspected and run as a user does it.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "program.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::string export_path(const std::string& name) { return OVENBIRD_TEST_DATA "/openvino/" + name; }

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("an export is baked for an NPU, shows what it is, and answers") {
  const TemporaryDirectory directory;
  const std::string bundle = directory.path() / "bundle";
  const Finished baked = run_program({"bake", export_path("llama_int4_sym"), "-o", bundle});
  INFO("standard error: " << baked.err);
  REQUIRE(baked.exit_code == 0);
  CHECK(holds(baked.out, "OpenVINO IR, llama, i4 symmetric, by row"));
  CHECK(holds(baked.out, "for npu"));

  const Finished shown = run_program({"inspect", bundle, "--verify"});
  CHECK(shown.exit_code == 0);
  CHECK(holds(shown.out, "source        OpenVINO IR, llama, i4 symmetric, by row"));
  CHECK(holds(shown.out, "layers     i4   one scale a row, symmetric"));
  CHECK(holds(shown.out, "nothing that it would refuse"));

  const Finished said =
      run_program({"run", bundle, "-p", "Hello", "--max-tokens", "5", "--device", "CPU"});
  INFO("standard error: " << said.err);
  CHECK(said.exit_code == 0);
}

TEST_CASE("what an NPU would refuse of an export is named, and the flag that helps") {
  const TemporaryDirectory directory;
  const std::string bundle = directory.path() / "bundle";
  const std::string source = export_path("qwen3_int4_asym");
  const std::string line = check_failure(run_program({"bake", source, "-o", bundle}), 2);
  CHECK(holds(line, "zero points"));
  CHECK(holds(line, "add --for cpu"));
  CHECK(!fs::exists(bundle));
  CHECK(run_program({"bake", source, "-o", bundle, "--for", "cpu"}).exit_code == 0);
}

TEST_CASE("there is nothing to choose about an export's weights") {
  const TemporaryDirectory directory;
  const std::string bundle = directory.path() / "bundle";
  for (const auto& [flag, value] :
       {std::pair("--weights", "int8"), std::pair("--weights", "int4"),
        std::pair("--group-size", "128"), std::pair("--embedding", "f16")}) {
    CAPTURE(flag);
    const Finished finished = run_program(
        {"bake", export_path("llama_int4_sym"), "-o", bundle, flag, value, "--for", "cpu"});
    const std::string line = check_failure(finished, 2);
    CHECK(holds(line, flag));
    CHECK(holds(line, "kept as they are"));
  }
  CHECK(!fs::exists(bundle));
}

TEST_CASE("damaged exports are one line and exit code 3") {
  const TemporaryDirectory directory;
  const fs::path source = directory.path() / "source";
  fs::copy(export_path("llama_int4_sym"), source);
  const std::string bundle = directory.path() / "bundle";
  fs::resize_file(source / "openvino_model.bin", 1000);
  check_failure(run_program({"bake", source, "-o", bundle}), 3);
  fs::remove(source / "openvino_model.bin");
  CHECK(holds(check_failure(run_program({"bake", source, "-o", bundle}), 3),
              "no openvino_model.bin"));
  fs::copy(export_path("llama_int4_sym") + "/openvino_model.bin", source);
  fs::resize_file(source / "openvino_model.xml", 50000);
  check_failure(run_program({"bake", source, "-o", bundle}), 3);
  CHECK(!fs::exists(bundle));
}

TEST_CASE("beside safetensors an export is taken only if it is named") {
  const TemporaryDirectory directory;
  const fs::path source = directory.path() / "source";
  fs::copy(golden_path("llama_gqa"), source);
  for (const char* name : {"openvino_model.xml", "openvino_model.bin"}) {
    fs::copy(export_path("llama_int4_sym") + "/" + name, source);
  }
  const std::string bundle = directory.path() / "bundle";
  const Finished baked = run_program({"bake", source, "-o", bundle});
  CHECK(baked.exit_code == 0);
  CHECK(holds(baked.out, "safetensors, llama"));
  CHECK(holds(baked.err, "the safetensors are baked"));
  const Finished named =
      run_program({"bake", source / "openvino_model.xml", "-o", bundle, "--force"});
  CHECK(named.exit_code == 0);
  CHECK(holds(named.out, "OpenVINO IR, llama"));
  CHECK(
      holds(check_failure(run_program({"bake", bundle, "-o", bundle + "2"}), 2), "bundle already"));
}

}  // namespace
}  // namespace ovenbird
