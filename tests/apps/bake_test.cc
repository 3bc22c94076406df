// bake and inspect, driven as a user drives them, over the golden checkpoints.
// Method of the crash tests: end the program when the k-th file has appeared, for every k.
#include <signal.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "bundle/bundle.h"
#include "program.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json inspected(const std::string& bundle) {
  const Finished finished = run_program({"inspect", bundle, "--json", "--verify"});
  INFO("standard error: " << finished.err);
  REQUIRE(finished.exit_code == 0);
  CHECK(finished.err == "");
  return nlohmann::json::parse(finished.out);
}

bool is_whole(const fs::path& path) {
  const Result<Bundle> bundle = Bundle::open(path);
  return bundle && bundle->verify();
}

/// Files in the hidden directory in which a bake works; 0 if there is none.
size_t files_in_work(const fs::path& parent) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
    if (!entry.path().filename().string().starts_with(".")) continue;
    fs::directory_iterator files(entry.path(), error);
    return error ? 0 : static_cast<size_t>(std::distance(begin(files), end(files)));
  }
  return 0;
}

/// Starts a bake and sends `signal` as soon as `files` files are there, if it still runs.
Finished bake_ended_at(const fs::path& target, size_t files, int signal,
                       std::vector<std::string> flags = {}) {
  std::vector<std::string> arguments{"bake", golden_path("qwen2"), "-o", target};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  Program program(arguments);
  while (program.is_running() && files_in_work(target.parent_path()) < files) {
  }
  program.send(signal);
  return program.wait();
}

TEST_CASE("every golden checkpoint becomes a whole bundle, said on standard output") {
  const TemporaryDirectory directory;
  for (const char* name :
       {"llama_gqa", "llama3_rope_tied", "llama_linear_bias", "llama_mha", "mistral", "qwen2",
        "qwen3", "gguf/llama_f16.gguf", "gguf/qwen2_q8_0.gguf", "gguf/llama_mixed.gguf"}) {
    CAPTURE(name);
    const fs::path target = directory.path() / fs::path(name).filename();

    const Finished finished = run_program({"bake", golden_path(name), "-o", target});

    CHECK(finished.exit_code == 0);
    CHECK(finished.out.find("next:  ovenbird run " + target.string()) != std::string::npos);
    CHECK(is_whole(target));
  }
}

TEST_CASE("the bundle is named after the source when no name is given") {
  const TemporaryDirectory directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  const Finished finished = run_program({"bake", golden_path("gguf/llama_f16.gguf")});
  fs::current_path(before);

  CHECK(finished.exit_code == 0);
  CHECK(is_whole(directory.path() / "llama_f16-ovenbird"));
}

TEST_CASE("a Hugging Face bundle keeps the tokenizer's files as they are") {
  const fs::path bundle = baked_golden("qwen2");
  const fs::path source = golden_path("qwen2");

  CHECK(read(bundle / "tokenizer.json") == read(source / "tokenizer.json"));
  CHECK(read(bundle / "tokenizer_config.json") == read(source / "tokenizer_config.json"));
  CHECK(fs::exists(bundle / kTokenizerName));
  CHECK(!read(bundle / "chat_template.jinja").empty());
  CHECK(nlohmann::json::parse(read(bundle / "config.json"))["use_cache"] == false);
}

TEST_CASE("a source without a tokenizer is baked, and that is said") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";

  const Finished finished = run_program({"bake", golden_path("mistral"), "-o", target});

  CHECK(finished.exit_code == 0);
  CHECK(finished.err.find("has no tokenizer.json") != std::string::npos);
  CHECK(finished.out.find("--ids") != std::string::npos);
  CHECK(!fs::exists(target / kTokenizerName));
}

TEST_CASE("a broken tokenizer is exit code 3 and leaves nothing") {
  const TemporaryDirectory directory;
  fs::copy(golden_path("qwen2"), directory.path() / "source");
  directory.write("source/tokenizer.json", "{\"model\": ");

  const Finished finished =
      run_program({"bake", directory.path() / "source", "-o", directory.path() / "out"});

  CHECK(check_failure(finished, 3).find("tokenizer.json") != std::string::npos);
  CHECK(!fs::exists(directory.path() / "out"));
}

TEST_CASE("damaged sources are one line and exit code 3") {
  const TemporaryDirectory directory;
  const std::string whole = read(golden_path("gguf/llama_f16.gguf"));
  for (const size_t bytes :
       {size_t{0}, size_t{5}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    CAPTURE(bytes);
    const fs::path source = directory.write("cut.gguf", whole.substr(0, bytes));
    check_failure(run_program({"bake", source, "-o", directory.path() / "out"}), 3);
    CHECK(!fs::exists(directory.path() / "out"));
  }
}

TEST_CASE("inspect tells graphs, weights, slot and what an NPU would refuse") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  REQUIRE(run_program({"bake", golden_path("gguf/llama_mixed.gguf"), "-o", target, "--for", "cpu",
                       "--weights", "gguf", "--context", "64"})
              .exit_code == 0);

  const nlohmann::json json = inspected(target);

  CHECK(json["baked_for"] == "cpu");
  CHECK(json["graphs"][0]["file"] == "openvino_model.xml");
  CHECK(json["graphs"][0]["width"] == 128);
  CHECK(json["graphs"][0]["past"] == 0);
  CHECK(json["graphs"][0]["inputs"][0]["name"] == "input_ids");
  CHECK(json["graphs"][0]["inputs"][0]["shape"] == nlohmann::json{1, 128});
  CHECK(json["graphs"][0]["outputs"][0]["name"] == "logits");
  const nlohmann::json& model = json["model"];
  CHECK(json["bytes_per_slot"] == 2 * 2 * 64 * model["layers"].get<uint64_t>() *
                                      model["kv_heads"].get<uint64_t>() *
                                      model["head_dim"].get<uint64_t>());
  CHECK(!json["npu_refuses"].empty());
  for (const char* platform : {"3720", "4000", "5010"}) {
    const nlohmann::json& verdict = json["graphs"][0]["npu"][platform];
    CHECK(verdict["taken"] == false);
    CHECK(verdict["why"].dump().find("groups of 32") != std::string::npos);
  }
  CHECK(json["weights_by_type"].size() > 1);
}

TEST_CASE("inspect tells by platform which graphs an NPU would take") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  REQUIRE(run_program({"bake", golden_path("llama_gqa"), "-o", target, "--for", "cpu", "--weights",
                       "int8", "--context", "64"})
              .exit_code == 0);

  const nlohmann::json json = inspected(target);

  for (const nlohmann::json& graph : json["graphs"]) {
    CAPTURE(graph["file"]);
    CHECK(graph["npu"]["3720"]["taken"] == graph["static"]);
    CHECK(graph["npu"]["4000"]["taken"] == false);
    CHECK(graph["npu"]["5010"]["taken"] == graph["static"]);
    CHECK(graph["npu"]["4000"]["why"].dump().find(
              graph["static"] ? "issue 35641" : "for CPU and GPU") != std::string::npos);
  }
  CHECK(json["npu_refuses"].size() == 4);  // its static graphs
  const std::string table = run_program({"inspect", target}).out;
  CHECK(table.find("NPU  3720 5010: takes it\n") != std::string::npos);
  CHECK(table.find("NPU  4000: refuses it: ") != std::string::npos);
  CHECK(table.find("NPU  not used: open, for CPU and GPU\n") != std::string::npos);
  CHECK(table.find("refuses this bundle on 4000") != std::string::npos);
}

TEST_CASE("what an NPU would refuse is not baked for it, and the flag that helps is named") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  const std::vector<std::vector<std::string>> choices = {
      {"--weights", "int8"},  {"--weights", "gguf"},  {"--embedding", "gguf"},
      {"--int8-layers", "0"}, {"--group-size", "32"}, {"--asymmetric"}};
  for (const std::vector<std::string>& flags : choices) {
    CAPTURE(flags[0]);
    std::vector<std::string> arguments{"bake", golden_path("llama_gqa"), "-o", target};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    CHECK(check_failure(run_program(arguments), 2).find("--for cpu") != std::string::npos);
    CHECK(!fs::exists(target));
    CHECK(files_in_work(directory.path()) == 0);
  }
  const std::string help = run_program({"bake", "--help"}).out;
  for (const char* flag :
       {"--for", "--weights", "--embedding", "--group-size", "--asymmetric", "--int8-layers",
        "--f16-layers", "--cache", "--context"}) {  // those that refusals speak of
    CHECK(help.find(flag) != std::string::npos);
  }
}

TEST_CASE("layers in more bits than the rest are named, and must be there") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  const auto bake = [&](const std::string& flag, const std::string& value) {
    return run_program({"bake", golden_path("qwen3"), "-o", target, flag, value, "--force"});
  };
  REQUIRE(bake("--f16-layers", "0,1.down").exit_code == 0);
  const nlohmann::json weights = inspected(target)["weights"];
  std::map<std::string, int> matrices;  // by type
  for (const nlohmann::json& stored : weights) {
    if (stored["role"] == "layers") matrices[stored["type"]] = stored["tensors"];
  }
  CHECK(matrices["f16"] == 4 + 1);
  CHECK(matrices["i4"] == 3);
  CHECK(inspected(target)["npu_refuses"].empty());

  REQUIRE(bake("--int4-ratio", "0.5").exit_code == 0);
  double narrow = 0, wide = 0;
  const nlohmann::json halved = inspected(target);
  for (const nlohmann::json& stored : halved["weights"]) {
    if (stored["role"] != "layers") continue;
    (stored["type"] == "i4" ? narrow : wide) += stored["parameters"].get<double>();
  }
  CHECK(narrow > 0);
  CHECK(narrow <= wide);
  REQUIRE(bake("--f16-layers", "0,1.down").exit_code == 0);

  CHECK(check_failure(bake("--f16-layers", "1-2"), 2).find("no layer 2") != std::string::npos);
  CHECK(check_failure(bake("--f16-layers", "0.head"), 2).find("\"0.head\"") != std::string::npos);
  CHECK(check_failure(bake("--int4-ratio", "1.5"), 2).find("--int4-ratio") != std::string::npos);
  CHECK(inspected(target)["weights"] == weights);  // it still stands there
}

TEST_CASE("an NPU refuses nothing of what bake makes by default") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  REQUIRE(run_program({"bake", golden_path("qwen3"), "-o", target}).exit_code == 0);

  const nlohmann::json json = inspected(target);
  CHECK(json["npu_refuses"].empty());
  for (const nlohmann::json& graph : json["graphs"]) {
    for (const char* platform : {"3720", "4000", "5010"}) {
      CHECK(graph["npu"][platform]["taken"] == graph["static"]);
    }
  }
  const Finished table = run_program({"inspect", target});
  CHECK(table.exit_code == 0);
  CHECK(table.out.find("NPU  3720 4000 5010: takes it\n") != std::string::npos);
  CHECK(table.out.find("nothing that it would refuse") != std::string::npos);
}

TEST_CASE("inspect --verify finds a changed byte, a shorter file is found at once") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  REQUIRE(run_program({"bake", golden_path("qwen2"), "-o", target}).exit_code == 0);
  std::fstream weights(target / kWeightsName, std::ios::in | std::ios::out | std::ios::binary);
  const int byte = weights.get();
  weights.seekp(0);
  weights.put(static_cast<char>(byte ^ 1));
  weights.close();

  CHECK(run_program({"inspect", target}).exit_code == 0);
  CHECK(check_failure(run_program({"inspect", target, "--verify"}), 3).find(kWeightsName) !=
        std::string::npos);
  fs::resize_file(target / kWeightsName, 10);
  check_failure(run_program({"inspect", target, "--json"}), 3);
}

TEST_CASE("an existing target is kept, unless --force replaces a bundle") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  REQUIRE(run_program({"bake", golden_path("qwen2"), "-o", target}).exit_code == 0);

  CHECK(
      check_failure(run_program({"bake", golden_path("qwen3"), "-o", target}), 2).find("--force") !=
      std::string::npos);
  CHECK(inspected(target)["model"]["architecture"] == "qwen2");
  CHECK(run_program({"bake", golden_path("qwen3"), "-o", target, "--force"}).exit_code == 0);
  CHECK(inspected(target)["model"]["architecture"] == "qwen3");
}

TEST_CASE("--force does not replace what is no bundle") {
  const TemporaryDirectory directory;
  directory.write("precious", "x");

  check_failure(run_program({"bake", golden_path("qwen2"), "-o", directory.path(), "--force"}), 2);

  CHECK(read(directory.path() / "precious") == "x");
}

TEST_CASE("a killed bake leaves no bundle, and the next one tidies up") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  for (size_t files = 1; !fs::exists(target); ++files) {
    CAPTURE(files);
    const Finished finished = bake_ended_at(target, files, SIGKILL);
    if (finished.exit_code == 0) break;  // it was faster than the signal
    if (fs::exists(target)) CHECK(is_whole(target));
  }
  CHECK(is_whole(target));
  REQUIRE(run_program({"bake", golden_path("qwen2"), "-o", target, "--force"}).exit_code == 0);
  CHECK(std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a bake killed while it replaces leaves the old bundle or the new one") {
  const TemporaryDirectory directory;
  const fs::path target = directory.path() / "out";
  REQUIRE(run_program({"bake", golden_path("qwen3"), "-o", target}).exit_code == 0);
  for (size_t files = 1; files < 20; ++files) {
    CAPTURE(files);
    const Finished finished = bake_ended_at(target, files, SIGKILL, {"--force"});
    CHECK(is_whole(target));
    if (finished.exit_code == 0) break;
  }
}

TEST_CASE("Ctrl-C ends a bake with exit code 5 and leaves nothing") {
  constexpr int kAttemptsMax = 50;  // a bake may be over before the signal comes
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const TemporaryDirectory directory;
    const Finished finished = bake_ended_at(directory.path() / "out", 1, SIGINT);
    if (finished.exit_code == 0) continue;
    check_failure(finished, 5);
    CHECK(fs::is_empty(directory.path()));
    return;
  }
  FAIL("no bake was interrupted");
}

}  // namespace
}  // namespace ovenbird
