// The doctor command: facts, self-test, findings, and how they are shown.
#include "doctor_command.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/message_text.h"
#include "bundle/bundle.h"
#include "doctor/library_search.h"
#include "doctor/text_parts.h"
#include "engine_path.h"
#include "memory_needs.h"
#include "self_test_process.h"

namespace ovenbird {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kStateColumns = 9;  // "problem  "
constexpr size_t kTextColumn = 28;   // where what was seen begins
constexpr std::string_view kMendMark = "         > ";

std::string ascii(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    const bool is_shown = letter >= ' ' && letter <= '~';
    out += is_shown ? std::string(1, letter) : printable(std::string_view(&letter, 1));
  }
  return out;
}

/// `text` behind `head`, broken between words where it gets too long; further lines begin at
/// `column`. A word that is too long for a line is cut.
std::string wrapped(std::string head, std::string_view text, size_t column) {
  std::string out;
  std::string line = std::move(head);
  const auto end_line = [&] {
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    line.assign(column, ' ');
  };
  for (std::string_view word : words_of(text, " ")) {
    const bool is_first = line.size() == column;
    if (!is_first && line.size() + 1 + word.size() > kColumns) end_line();
    if (line.size() > column) line += ' ';
    while (line.size() + word.size() > kColumns) {
      const size_t room = kColumns - line.size();
      line += word.substr(0, room);
      word.remove_prefix(room);
      end_line();
    }
    line += word;
  }
  end_line();
  return out;
}

/// For commands: half of one that was broken would run when it is pasted.
std::string unwrapped(const std::string& line) {
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

std::string padded(std::string text, size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text;
}

std::string verdict(const Examination& examination) {
  if (examination.self_test.found_usable_npu()) {
    return examination.loader_is_from_library_path
               ? "an NPU can be used, through the loader that LD_LIBRARY_PATH names"
               : "an NPU can be used";
  }
  const Finding* problem = first_problem(examination.findings);
  if (!problem) return "no NPU can be used, though nothing is seen to be missing";
  return "no NPU can be used; begin with: " + std::string(problem->title);
}

/// The bundle's need, or what is assumed without one.
Result<ArenaNeed> arena_of(const std::string& directory) {
  if (directory.empty()) return ArenaNeed{};
  const Result<Bundle> bundle = Bundle::open(directory);
  if (!bundle) return Failure{bundle.error()};
  return ArenaNeed{.bytes = memory_needs(bundle->manifest()).slot, .is_assumed = false};
}

}  // namespace

std::string doctor_table(const Examination& examination) {
  std::string text;
  for (const Finding& finding : examination.findings) {
    const std::string head = padded(
        padded(name_of(finding.state), kStateColumns) + std::string(finding.title), kTextColumn);
    text += wrapped(head, ascii(finding.seen), kTextColumn);
    for (const std::string& command : finding.mend) {
      text += unwrapped(std::string(kMendMark) + ascii(command));
    }
  }
  return text + "\n" + verdict(examination) + "\n";
}

std::string doctor_json(const Examination& examination) {
  nlohmann::ordered_json json{{"usable", examination.self_test.found_usable_npu()},
                              {"first_problem", nullptr},
                              {"arena_bytes", examination.arena.bytes},
                              {"arena_is_assumed", examination.arena.is_assumed},
                              {"findings", nlohmann::ordered_json::array()}};
  if (const Finding* problem = first_problem(examination.findings)) {
    json["first_problem"] = problem->id;
  }
  for (const Finding& finding : examination.findings) {
    json["findings"].push_back({{"id", finding.id},
                                {"state", name_of(finding.state)},
                                {"title", finding.title},
                                {"seen", finding.seen},
                                {"mend", finding.mend}});
  }
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

ExitStatus examine(const DoctorCommand& command) {
  const Result<ArenaNeed> arena = arena_of(command.bundle);
  if (!arena) return report(arena.error());
  const std::filesystem::path engine = engine_path();
  const char* library_path = std::getenv("LD_LIBRARY_PATH");
  MachineView view{.library_path = library_path ? library_path : ""};
  view.openvino_directory = find_openvino_of(engine, view);
  const MachineFacts machine = read_machine_facts(view);
  Examination examination{
      .arena = *arena,
      .loader_is_from_library_path = machine.libraries.loader.is_from_library_path};
  if (is_worth_a_self_test(machine)) examination.self_test = run_self_test(engine);
  examination.findings = diagnose(machine, examination.self_test, *arena);
  const std::string text = command.json ? doctor_json(examination) : doctor_table(examination);
  std::fputs(text.c_str(), stdout);
  const ExitStatus printed = finish_output();
  if (printed != kExitDone) return printed;
  return examination.self_test.found_usable_npu() ? kExitDone : kExitNoDevice;
}

}  // namespace ovenbird
