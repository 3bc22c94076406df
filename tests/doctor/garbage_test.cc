// Whatever the files of a machine hold or are, doctor reads them in bounds, does not wait, and its
// findings are lines. Method: each file in turn as something else; then all of them at random.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/limits.h"
#include "doctor/elf_file.h"
#include "doctor/example_machine.h"
#include "doctor/text_parts.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

using State = Finding::State;

void check_findings(const ExampleMachine& machine) {
  const std::vector<Finding> findings = machine.findings();
  CHECK(findings.size() == 15);
  for (const Finding& finding : findings) {
    INFO(finding.id << ": " << finding.seen);
    CHECK(!finding.seen.empty());
    CHECK(finding.seen.find('\n') == std::string::npos);
    CHECK(finding.seen.size() < 2000);
    for (const std::string& command : finding.mend) {
      CHECK(command.find('\n') == std::string::npos);
    }
  }
}

std::string random_bytes(std::mt19937& random, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& letter : text) letter = static_cast<char>(random());
  return text;
}

/// Cut, doubled, or with some bytes changed: still like what it was.
std::string spoiled(std::mt19937& random, std::string text) {
  if (text.empty()) return random_bytes(random, 64);
  switch (random() % 4) {
    case 0:
      return text.substr(0, random() % text.size());
    case 1:
      return text + text;
    case 2:
      return random_bytes(random, random() % 4096);
    default:
      for (int round = 0; round < 8; ++round) {
        text[random() % text.size()] = static_cast<char>(random());
      }
      return text;
  }
}

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Spoils each file of a machine in turn, and looks at the machine each time.
template <typename Spoil>
void for_each_file(Spoil spoil) {
  const std::vector<std::string> files = ExampleMachine().files();
  for (const std::string& file : files) {
    INFO(file);
    ExampleMachine machine;
    spoil(machine, file);
    check_findings(machine);
  }
}

TEST_CASE("each file missing, empty, a directory, a pipe, or a link to itself") {
  for_each_file([](ExampleMachine& machine, const std::string& file) { machine.remove(file); });
  for_each_file([](ExampleMachine& machine, const std::string& file) { machine.write(file, ""); });
  for_each_file([](ExampleMachine& machine, const std::string& file) {
    machine.remove(file);
    fs::create_directory(machine.root() / file);
  });
  for_each_file([](ExampleMachine& machine, const std::string& file) {
    machine.remove(file);
    REQUIRE(::mkfifo((machine.root() / file).c_str(), 0600) == 0);
  });
  for_each_file([](ExampleMachine& machine, const std::string& file) {
    machine.remove(file);
    fs::create_symlink(fs::path(file).filename(), machine.root() / file);
  });
}

TEST_CASE("each file nothing but blanks, or blank lines, with and without a module that is there") {
  const std::string nothing[] = {" ", " \n", "\n\n", " \t \n \n\t\n", " \r\n \r\n", "  \n:\n=\n"};
  for (const bool has_module : {true, false}) {
    for (const std::string& blanks : nothing) {
      for_each_file([&](ExampleMachine& machine, const std::string& file) {
        machine.write(file, blanks);
        if (!has_module) machine.remove("sys/module");
      });
    }
  }
}

TEST_CASE("each file a terabyte of nothing") {
  for_each_file([](ExampleMachine& machine, const std::string& file) {
    REQUIRE(::truncate((machine.root() / file).c_str(), off_t{1} << 40) == 0);
  });
}

TEST_CASE("each file without permission to read it") {
  for_each_file(
      [](ExampleMachine& machine, const std::string& file) { machine.set_mode(file, 0); });
}

TEST_CASE("each file cut at many places") {
  for_each_file([](ExampleMachine& machine, const std::string& file) {
    const std::string whole = content_of(machine.root() / file);
    for (size_t bytes = 0; bytes < whole.size(); bytes += 1 + whole.size() / 24) {
      machine.write(file, whole.substr(0, bytes));
      check_findings(machine);
    }
  });
}

TEST_CASE("all files spoiled at random") {
  std::mt19937 random(20261125);
  for (int round = 0; round < 60; ++round) {
    ExampleMachine machine;
    const std::vector<std::string> files = machine.files();
    for (const std::string& file : files) {
      if (random() % 2 == 0) continue;
      machine.write(file, spoiled(random, content_of(machine.root() / file)));
    }
    check_findings(machine);
  }
}

TEST_CASE("a machine with no files at all is unknown, not broken") {
  const TemporaryDirectory empty;
  for (const fs::path& root : {empty.path(), empty.path() / "nothing", fs::path("/dev/null")}) {
    const std::vector<Finding> findings = diagnose(read_machine_facts({.root = root}), {}, {});
    CHECK(findings.size() == 15);
    CHECK(finding_of(findings, "cpu").state == State::kUnknown);
    CHECK(finding_of(findings, "pci").state == State::kUnknown);
  }
}

TEST_CASE("this machine can be looked at, whatever it is") {
  const std::vector<Finding> findings = diagnose(read_machine_facts({}), {}, {});
  CHECK(findings.size() == 15);
}

TEST_CASE("what cannot be read is called so") {
  ExampleMachine machine;
  machine.remove("sys/bus/pci/devices/0000:00:0b.0");
  machine.remove("proc/cpuinfo");
  fs::create_directory(machine.root() / "proc/cpuinfo");
  machine.remove("proc/self/limits");
  machine.write("proc/self/limits", std::string(limits::kProbedFileBytesMax + 1, 'x'));
  machine.write("proc/self/status", "nothing of use\n");
  machine.write("proc/sys/kernel/osrelease", "../../etc\n");
  machine.self_test = {};
  const std::vector<Finding> findings = machine.findings();
  CHECK(finding_of(findings, "cpu").seen == "/proc/cpuinfo: it cannot be read");
  const MachineFacts facts = read_machine_facts(machine.view());
  CHECK(facts.memlock.reading == Reading::kTooLarge);
  CHECK(facts.user.reading == Reading::kUnreadable);
  CHECK(facts.kernel.release.empty());
}

TEST_CASE("a bounded read takes the limit and refuses one byte more") {
  const TemporaryDirectory directory;
  const fs::path file = directory.write("file", "one\ntwo\nthree\n");
  CHECK(read_probed_file(file, 14).text == "one\ntwo\nthree\n");
  CHECK(read_probed_file(file, 13).reading == Reading::kTooLarge);
  CHECK(read_beginning(file, 5).text == "one\nt");
  CHECK(read_end(file, 14).text == "one\ntwo\nthree\n");
  CHECK(trimmed(read_end(file, 8).text) == "three");  // not the rest of a line
  CHECK(read_probed_file(directory.path() / "none", 9).reading == Reading::kMissing);
  CHECK(read_probed_file(directory.path(), 9).reading == Reading::kUnreadable);
  CHECK(read_probed_file("/dev/zero", 9).reading == Reading::kUnreadable);
}

TEST_CASE("numbers are whole or none") {
  CHECK(number_in("42") == 42);
  CHECK(number_in("7D1D", 16) == 0x7d1d);
  for (const char* text : {"", "-1", "+1", "4 2", "4x", "99999999999999999999", "0x10"}) {
    CHECK(number_in(text) == -1);
  }
}

TEST_CASE("this program says what it needs; cut or spoiled, nothing happens") {
  const ElfFacts whole = read_elf("/proc/self/exe");
  CHECK(whole.fault == "");
  CHECK(std::find(whole.needed.begin(), whole.needed.end(), "libc.so.6") != whole.needed.end());

  const TemporaryDirectory directory;
  std::mt19937 random(7);
  const std::string bytes = content_of("/proc/self/exe").substr(0, 4096);
  for (size_t size = 0; size < bytes.size(); size += 7) {
    read_elf(directory.write("cut", bytes.substr(0, size)));
  }
  for (int round = 0; round < 500; ++round) {
    std::string spoiled_bytes = bytes;
    for (int change = 0; change < 6; ++change) {
      spoiled_bytes[6 + random() % 900] = static_cast<char>(random());
    }
    read_elf(directory.write("spoiled", spoiled_bytes));
  }
}

}  // namespace
}  // namespace ovenbird
