// The doctor command: what stands between this machine and a working NPU.
#pragma once

#include <string>
#include <vector>

#include "command_line.h"
#include "doctor/diagnose.h"
#include "exit_status.h"

namespace ovenbird {

/// Everything that doctor found out.
struct Examination {
  std::vector<Finding> findings;
  SelfTest self_test;
  ArenaNeed arena;
  bool loader_is_from_library_path = false;  // not the system's
};

/// Examines this machine and prints what it found to standard output. Waits for the self-test,
/// which has a time limit. Gives kExitDone if an NPU can be used, else kExitNoDevice.
ExitStatus examine(const DoctorCommand& command);

/// For people: a line or more for each finding, its state first, the commands that mend it below;
/// printable ASCII, at most 100 columns but for those commands.
std::string doctor_table(const Examination& examination);

/// For programs: one JSON object, several lines: usable, first_problem (an id, or null),
/// arena_bytes, arena_is_assumed, findings [{id, state, title, seen, mend [...]}].
std::string doctor_json(const Examination& examination);

}  // namespace ovenbird
