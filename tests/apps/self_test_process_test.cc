// The process that tries the NPU may do anything: doctor hears it out and goes on. Method: shell
// scripts in its place.
#include "self_test_process.h"

#include <doctest/doctest.h>

#include <string>

#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

using namespace std::chrono_literals;
using Ending = SelfTest::Ending;

const NpuAnswer kGood{.is_listed = true,
                      .name = "Intel(R) AI Boost",
                      .architecture = "4000",
                      .driver = "17",
                      .imports_pages = true};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What becomes of a self-test that is this script. It has long enough, unless it shall hang.
SelfTest test_with(const std::string& script, std::chrono::milliseconds time_max = 60s) {
  const TemporaryDirectory directory;
  const auto engine = directory.write("engine", "#!/bin/sh\n" + script + "\n");
  std::filesystem::permissions(engine, std::filesystem::perms::owner_all);
  return run_self_test(engine, time_max);
}

std::string say(const NpuAnswer& answer) { return "echo '" + to_json(answer) + "'\n"; }

TEST_CASE("an answer comes through whole, and the last line counts") {
  NpuAnswer first = kGood;
  first.failed_step = "compile";
  const SelfTest test = test_with("test \"$1\" = npu-self-test || exit 9\n" + say(first) +
                                  "echo 'a note of the driver' >&2\n" + say(kGood));
  CHECK(test.ending == Ending::kAnswered);
  CHECK(test.detail == "");
  CHECK(test.found_usable_npu());
  CHECK(to_json(test.answer) == to_json(kGood));
}

TEST_CASE("a process that dies by a signal is named with it, its last words and its step") {
  NpuAnswer step = kGood;
  step.failed_step = "import";
  const SelfTest test =
      test_with(say(step) + "echo first >&2; echo 'terminate called' >&2; kill -SEGV $$");
  CHECK(test.ending == Ending::kDied);
  CHECK(contains(test.detail, "signal 11 (Segmentation fault)"));
  CHECK(contains(test.detail, "its last words: terminate called"));
  CHECK(test.answer.failed_step == "import");
  CHECK(!test.found_usable_npu());
}

TEST_CASE("the last words are the last line, without its end, and at most 200 letters of it") {
  for (const char* script : {"printf 'a\\nbbb\\n\\n' >&2", "printf 'a\\nbbb' >&2",
                             "printf 'bbb\\r\\n' >&2", "printf '\\n\\nbbb\\n \\n' >&2"}) {
    CHECK(test_with(std::string(script) + "; exit 3").detail == "exit code 3; its last words: bbb");
  }
  CHECK(test_with("printf '\\n\\n' >&2; exit 3").detail == "exit code 3");
  const SelfTest longer = test_with("printf '%0300d\\n' 7 >&2; exit 3");
  CHECK(longer.detail == "exit code 3; its last words: " + std::string(200, '0'));
}

TEST_CASE("a process that talks a great deal has last words all the same") {
  const SelfTest test = test_with(
      "head -c 300000 /dev/zero | tr '\\0' 'x' >&2; yes | head -n 100000 >&2; "
      "echo 'terminate called' >&2; exit 3");
  CHECK(test.detail == "exit code 3; its last words: terminate called");
}

TEST_CASE("a good answer does not excuse a death after it") {
  CHECK(!test_with(say(kGood) + "kill -ABRT $$").found_usable_npu());
  CHECK(!test_with(say(kGood) + "exit 3").found_usable_npu());
  CHECK(test_with("exit 3").detail == "exit code 3");
}

TEST_CASE("a process that hangs is ended, whatever it said before and whatever it ignores") {
  const SelfTest silent = test_with("exec sleep 1000", 200ms);
  CHECK(silent.ending == Ending::kTimedOut);
  CHECK(silent.detail == "no answer in 200 ms");
  const SelfTest said = test_with(say(kGood) + "trap '' TERM INT; exec sleep 1000", 500ms);
  CHECK(said.ending == Ending::kTimedOut);
  CHECK(!said.found_usable_npu());
  CHECK(test_with("exec yes", 200ms).ending == Ending::kTimedOut);  // a full pipe stops nobody
}

TEST_CASE("what is left of it and holds its output open is not waited for") {
  const SelfTest test = test_with("sleep 5 &\n" + say(kGood));
  CHECK(test.ending == Ending::kAnswered);
}

TEST_CASE("nonsense, nothing, half an answer or far too much is no answer") {
  const std::string good = to_json(kGood);
  for (const std::string& said :
       {std::string("hello"), std::string("[]"), std::string("{}"), std::string("null"),
        good.substr(0, good.size() - 1), good + "x", std::string(R"({"listed":"yes"})")}) {
    const SelfTest test = test_with("cat <<'END'\n" + said + "\nEND");
    CHECK(test.ending == Ending::kNonsense);
    CHECK(contains(test.detail, "it said "));
    CHECK(test.detail.find('\n') == std::string::npos);
  }
  CHECK(test_with("true").detail == "it said nothing");
  CHECK(test_with("head -c 70000 /dev/zero | tr '\\0' ' '; " + say(kGood)).ending ==
        Ending::kNonsense);
  CHECK(test_with("head -c 100000 /dev/urandom").ending == Ending::kNonsense);
}

TEST_CASE("every answer that lacks a key is no answer") {
  const std::string good = to_json(kGood);
  for (const char* key : {"listed", "name", "architecture", "driver", "failed_step", "error",
                          "imports_pages", "import_error"}) {
    std::string bad = good;
    bad.replace(bad.find(key), 2, "xx");
    CHECK(test_with("echo '" + bad + "'").ending == Ending::kNonsense);
  }
}

TEST_CASE("a program that is not there, or lacks a library, is not started") {
  const SelfTest missing = run_self_test("/nothing/engine");
  CHECK(missing.ending == Ending::kNotStarted);
  CHECK(contains(missing.detail, "/nothing/engine: No such file"));
  const SelfTest lacking = test_with("echo 'error while loading shared libraries' >&2; exit 127");
  CHECK(lacking.ending == Ending::kNotStarted);
  CHECK(contains(lacking.detail, "error while loading shared libraries"));
}

}  // namespace
}  // namespace ovenbird
