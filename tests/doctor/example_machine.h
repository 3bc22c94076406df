// A machine below a temporary directory: whole at first, to be broken in one place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "doctor/diagnose.h"
#include "support/temporary_directory.h"

namespace ovenbird {

/// A laptop with a Meteor Lake processor whose NPU works, and the self-test's answer. Every file
/// that doctor reads of a machine is there.
class ExampleMachine {
 public:
  ExampleMachine();

  /// Paths are those inside the machine, without the first slash. Folders are made as needed.
  void write(const std::string& path, std::string_view content);
  void remove(const std::string& path);
  void set_mode(const std::string& path, unsigned mode);
  /// Writes a file that passes for a library of this processor, and a link to it.
  void write_library(const std::string& path, const std::string& link = "");
  /// Puts `content` where the text `old` stands in a file.
  void replace(const std::string& path, const std::string& old, const std::string& content);

  /// The group that owns the files of this machine, the device node among them.
  uint32_t group_of_node() const;
  /// /proc/self/status of a user who has `groups` in this session.
  void log_in(const std::vector<uint32_t>& groups, uint32_t user = 54321);
  /// As if the kernel had not made the node.
  void remove_node() { remove("dev/accel"); }

  /// Every file that was written, by path.
  const std::vector<std::string>& files() const { return files_; }
  const std::filesystem::path& root() const { return directory_.path(); }

  MachineView view() const;
  /// Checks as well that every mend is one line that a shell takes.
  std::vector<Finding> findings() const;

  SelfTest self_test;
  ArenaNeed arena{.bytes = uint64_t{45} << 20, .is_assumed = false};
  std::string library_path;  // outside the machine, as LD_LIBRARY_PATH is

 private:
  void write_hardware();
  void write_programs();

  TemporaryDirectory directory_;
  std::vector<std::string> files_;
};

/// The finding of that id; fails the test if there is none.
const Finding& finding_of(const std::vector<Finding>& findings, std::string_view id);

}  // namespace ovenbird
