// run, score and chat over bundles of the golden checkpoints: the numbers are transformers'.
#include <signal.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

Json golden(const std::string& name) {
  std::ifstream file(golden_path(name) + "/golden.json");
  return Json::parse(file);
}

std::string joined(const Json& ids) {
  std::string text;
  for (const Json& id : ids) text += (text.empty() ? "" : ",") + id.dump();
  return text;
}

std::vector<std::string> plus(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Json json_of(const Finished& finished) {
  INFO("standard error: " << finished.err);
  REQUIRE(finished.exit_code == 0);
  CHECK(finished.err == "");
  return Json::parse(finished.out);
}

/// An answer of some tokens to qwen2's bundle.
std::vector<std::string> run_words(const std::vector<std::string>& more) {
  return plus({"run", baked_golden("qwen2"), "-p", "Hello there", "--max-tokens", "12"}, more);
}

TEST_CASE("run gives transformers' greedy tokens on every plan") {
  for (const char* name : {"qwen2", "llama_mha"}) {
    const Json greedy = golden(name)["greedy"];
    for (const char* plan : {"window", "cached", "dynamic"}) {
      CAPTURE(name);
      CAPTURE(plan);
      const Json json =
          json_of(run_program({"run", baked_golden(name), "--ids", joined(greedy["prompt_ids"]),
                               "--max-tokens", "32", "--plan", plan, "--json"}));
      // An end token ends the answer here; the reference goes on.
      const Json& ids = json["ids"];
      REQUIRE(!ids.empty());
      for (size_t index = 0; index < ids.size(); ++index) CHECK(ids[index] == greedy["ids"][index]);
      CHECK((ids.size() == 32 || json["finish_reason"] == "stop"));
      CHECK(json["plan"] == plan);
      CHECK(json["prompt_tokens"] == 16);
      CHECK(json["completion_tokens"] == ids.size());
    }
  }
}

const std::vector<std::string> kEmulated = {"LD_LIBRARY_PATH=" OVENBIRD_NPU_EMULATOR};

TEST_CASE("run gives transformers' greedy tokens on the emulated NPU") {
  const Json greedy = golden("qwen2")["greedy"];
  for (const char* plan : {"window", "cached"}) {
    CAPTURE(plan);
    const Json json = json_of(run_program(
        {"run", baked_golden("qwen2"), "--ids", joined(greedy["prompt_ids"]), "--max-tokens", "32",
         "--plan", plan, "--json", "--device", "NPU", "--no-fallback"},
        "", kEmulated));
    REQUIRE(!json["ids"].empty());
    for (size_t index = 0; index < json["ids"].size(); ++index) {
      CHECK(json["ids"][index] == greedy["ids"][index]);
    }
    CHECK(json["device"] == "NPU");
  }
}

/// The last line of standard error, where others may stand before it.
std::string last_line(const std::string& text) {
  return text.substr(text.rfind('\n', text.size() - 2) + 1);
}

TEST_CASE("an NPU that always fails ends with a line that says how, and an exit code") {
  struct Case {
    std::string fault;
    int exit_code;
    std::string words;
  };
  for (const Case& fault :
       {Case{"device-lost@*", 1, "DEVICE_LOST"}, Case{"garbage@*", 1, "not finite"},
        Case{"zeros@*", 1, "the same number everywhere"},
        Case{"run-oom@*", 4, "OUT_OF_DEVICE_MEMORY"},
        Case{"compile-failure@*", 4, "a fault that was asked for"},
        Case{"compile-oom@*", 4, "OUT_OF_HOST_MEMORY"}}) {
    CAPTURE(fault.fault);
    std::vector<std::string> environment = kEmulated;
    environment.push_back("NPU_EMULATOR_FAULT=" + fault.fault);
    std::filesystem::remove_all(std::filesystem::path(baked_golden("qwen2")) / "cache");
    const Finished finished =
        run_program(run_words({"--device", "NPU", "--no-fallback", "--plan", "window", "--json"}),
                    "", environment);
    CHECK(finished.exit_code == fault.exit_code);
    CHECK(finished.out == "");
    const std::string line = last_line(finished.err);
    CHECK(line.starts_with("ovenbird: "));
    CHECK(line.find(fault.words) != std::string::npos);
    CHECK(line.find("NPU") != std::string::npos);
  }
}

TEST_CASE(
    "an NPU that fails in every second step says all of an answer") {
  const Json undisturbed =
      json_of(run_program(run_words({"--plan", "window", "--json"}), "", kEmulated));
  const Finished finished =
      run_program(run_words({"--device", "NPU", "--no-fallback", "--plan", "window", "--json"}), "",
                  {kEmulated[0], "NPU_EMULATOR_FAULT=device-lost@2"});
  CHECK(finished.exit_code == 0);
  const Json json = Json::parse(finished.out);
  CHECK(json["ids"] == undisturbed["ids"]);
  CHECK(json["device"] == "NPU");
  CHECK(finished.err.find("going on with NPU after NPU: ") != std::string::npos);
}

TEST_CASE("an NPU that does not compile is passed over, with one line that says why") {
  const Finished finished = run_program(run_words({"--device", "NPU", "--json"}), "",
                                        {kEmulated[0], "NPU_EMULATOR_FAULT=compile-failure@*"});
  CHECK(finished.exit_code == 0);
  CHECK(Json::parse(finished.out)["device"] == "CPU");
  CHECK(finished.err.find("NPU not used: compile") != std::string::npos);
}

TEST_CASE("score gives transformers' log-probabilities, null first") {
  const Json sequence = golden("qwen2")["sequences"][0];

  const Json json = json_of(
      run_program({"score", baked_golden("qwen2"), "--ids", joined(sequence["ids"]), "--json"}));

  CHECK(json["ids"] == sequence["ids"]);
  REQUIRE(json["logprobs"].size() == sequence["logprobs"].size());
  CHECK(json["logprobs"][0].is_null());
  double sum = 0;
  for (size_t index = 1; index < json["logprobs"].size(); ++index) {
    const double logprob = json["logprobs"][index];
    CHECK(std::abs(logprob - sequence["logprobs"][index].get<double>()) < 2e-3);
    sum += logprob;
  }
  const double mean = sum / static_cast<double>(json["logprobs"].size() - 1);
  CHECK(json["perplexity"].get<double>() == doctest::Approx(std::exp(-mean)));
}

TEST_CASE("score reads a file, and takes no more of it than asked") {
  const TemporaryDirectory directory;
  const std::string text = directory.write("text", "Hello there, hello there, hello.");

  const Json whole =
      json_of(run_program({"score", baked_golden("qwen2"), "--text", text, "--json"}));
  const Json part = json_of(
      run_program({"score", baked_golden("qwen2"), "--text", text, "--max-tokens", "3", "--json"}));

  CHECK(whole["ids"].size() > 3);
  CHECK(part["ids"].size() == 3);
  CHECK(part["logprobs"].size() == 3);
  const Finished words = run_program({"score", baked_golden("qwen2"), "--text", text});
  CHECK(words.out.starts_with("perplexity "));
}

TEST_CASE("run streams the text that --json gives, and nothing else, to standard output") {
  const Json json = json_of(run_program(run_words({"--json"})));
  const Finished streamed = run_program(run_words({}));

  CHECK(streamed.exit_code == 0);
  CHECK(streamed.err == "");
  const std::string text = json["text"];
  CHECK(streamed.out == (text.empty() || text.ends_with('\n') ? text : text + "\n"));
  for (const char* key : {"text", "ids", "finish_reason", "device", "plan", "ttft_ms", "decode_tps",
                          "prompt_tokens", "completion_tokens", "steps", "accepted"}) {
    CAPTURE(key);
    CHECK(json.contains(key));
  }
}

TEST_CASE("the prompt may come from standard input") {
  const Json given = json_of(run_program(run_words({"--json"})));
  const Json piped = json_of(
      run_program({"run", baked_golden("qwen2"), "--max-tokens", "12", "--json"}, "Hello there\n"));

  CHECK(piped["ids"] == given["ids"]);
}

TEST_CASE("--raw leaves the chat template away") {
  const Json chat = json_of(run_program(run_words({"--json"})));
  const Json raw = json_of(run_program(run_words({"--json", "--raw"})));

  CHECK(raw["prompt_tokens"] < chat["prompt_tokens"]);
}

TEST_CASE("the spellings of other programs reach the same bundle") {
  const std::string bundle = baked_golden("qwen2");
  const Json given = json_of(run_program(run_words({"--json"})));
  for (const std::string& tokenizer : {bundle, golden_path("qwen2")}) {
    const Json other = json_of(
        run_program({"run", "--model_xml", bundle + "/openvino_model.xml", "--tokenizer_id",
                     tokenizer, "--prompt", "Hello there", "--max-tokens", "12", "--json"}));
    CHECK(other["text"] == given["text"]);
  }
}

TEST_CASE("drafts do not change what is said") {
  const Json on = json_of(run_program(run_words({"--json", "--draft", "on"})));
  const Json off = json_of(run_program(run_words({"--json", "--draft", "off"})));

  CHECK(on["ids"] == off["ids"]);
  CHECK(off["accepted"] == 0);
}

TEST_CASE("the same seed says the same, another seed something else") {
  const auto said = [](const char* seed) {
    return json_of(run_program(run_words({"--json", "--temperature", "5", "--seed", seed})))["ids"];
  };
  CHECK(said("1") == said("1"));
  CHECK(said("1") != said("2"));
}

TEST_CASE("a stop string ends the answer before it") {
  const Json whole = json_of(run_program(run_words({"--json"})));
  const std::string text = whole["text"];
  const size_t first = text.find_first_of("abcdefghijklmnopqrstuvwxyz");
  REQUIRE(first != text.npos);
  const std::string stop = text.substr(first, 1);

  const Json json = json_of(run_program(run_words({"--json", "--stop", stop})));

  CHECK(json["finish_reason"] == "stop");
  CHECK(json["text"] == text.substr(0, text.find(stop)));
}

TEST_CASE("max-tokens ends the answer") {
  const Json json = json_of(run_program(
      {"run", baked_golden("qwen2"), "-p", "Hello there", "--max-tokens", "1", "--json"}));
  CHECK(json["finish_reason"] == "length");
  CHECK(json["completion_tokens"] == 1);
}

TEST_CASE("without a tokenizer, ids go in and out") {
  const std::string bundle = baked_golden("mistral");

  const Finished ids = run_program({"run", bundle, "--ids", "5,6,7", "--max-tokens", "3"});

  CHECK(ids.exit_code == 0);
  CHECK(std::count(ids.out.begin(), ids.out.end(), ',') <= 2);
  CHECK(check_failure(run_program({"run", bundle, "-p", "x"}), 3).find("--ids") !=
        std::string::npos);
  check_failure(run_program({"run", bundle, "--ids", "5", "--stop", "x"}), 2);
}

TEST_CASE("what the model cannot take is refused in one line") {
  const std::string bundle = baked_golden("qwen2");
  check_failure(run_program({"run", bundle, "--ids", "99999999"}), 2);
  check_failure(run_program({"run", bundle, "-p", "x", "--temperature", "-1"}), 2);
  check_failure(run_program({"run", bundle, "-p", "x", "--top-p", "nan"}), 2);
  check_failure(run_program({"run", bundle, "-p", "x", "--tokenizer_id", "/nothing"}), 3);
  check_failure(run_program({"run", bundle, "--raw", "-p", ""}), 2);
  check_failure(run_program({"score", bundle, "--ids", "5"}), 2);
  check_failure(run_program({"score", bundle, "--text", "/nothing"}), 3);
  check_failure(run_program({"chat", baked_golden("llama_gqa")}), 3);  // no chat template
}

TEST_CASE("a device that is not there is exit code 4, or a note and another device") {
  if (std::filesystem::exists("/dev/accel/accel0")) {
    MESSAGE("skipped: this machine may have an NPU");
    return;
  }
  const Finished pinned = run_program(run_words({"--device", "NPU", "--no-fallback"}));
  const Finished other = run_program(run_words({"--device", "NPU", "--json"}));

  CHECK(check_failure(pinned, 4).find("NPU") != std::string::npos);
  CHECK(other.exit_code == 0);
  CHECK(other.err.find("NPU not used: ") != std::string::npos);
  CHECK(other.err.find(" instead\n") != std::string::npos);
  CHECK(Json::parse(other.out)["device"] != "NPU");
}

/// An answer that does not end by itself: the end tokens are made impossible.
std::vector<std::string> endless_words(const std::vector<std::string>& more) {
  std::vector<std::string> words{"run", baked_golden("qwen2"), "--raw",     "-p",
                                 "Hi",  "--max-tokens",        "1000000000"};
  for (const char* id : {"0", "1", "2", "3"}) {
    words = plus(words, {"--logit-bias", std::string(id) + "=-100"});
  }
  return plus(words, more);
}

TEST_CASE("Ctrl-C ends an answer, keeps what was said, exit code 5") {
  Program program(endless_words({}));
  while (program.is_running() && program.out().empty()) {
  }
  program.send(SIGINT);
  const Finished finished = program.wait();

  CHECK(finished.exit_code == 5);
  CHECK(finished.err == "");
  CHECK(finished.out.ends_with('\n'));
}

TEST_CASE("Ctrl-C with --json still gives the object; before the answer it ends at once") {
  constexpr int kAttemptsMax = 12;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    Program program(endless_words({"--json"}));
    ::usleep(useconds_t{10000} << attempt);
    program.send(SIGINT);
    const Finished finished = program.wait();
    if (finished.signal != 0) continue;  // it came before the program had begun
    CHECK(finished.exit_code == 5);
    if (finished.out.empty()) {
      CHECK(finished.err == "ovenbird: interrupted\n");
      continue;
    }
    const Json json = Json::parse(finished.out);
    CHECK(json["finish_reason"] == "interrupted");
    CHECK(json["completion_tokens"] == json["ids"].size());
    return;
  }
  FAIL("no answer was interrupted");
}

TEST_CASE("chat answers line by line and remembers") {
  const Finished finished = run_program({"chat", baked_golden("qwen2"), "--max-tokens", "4"},
                                        "Hello\n\nHello again\n/new\nHello\n/exit\nnever read\n");

  CHECK(finished.exit_code == 0);
  CHECK(std::count(finished.out.begin(), finished.out.end(), '\n') >= 3);
}

}  // namespace
}  // namespace ovenbird
