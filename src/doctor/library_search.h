// Where the system would find a library: the files that dlopen would try, in its order.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "doctor/machine_facts.h"

namespace ovenbird {

/// The first file of that name in LD_LIBRARY_PATH or where libraries are kept, with its version:
/// that of the file behind the links, else that of the package which Debian's list has installed
/// under one of the names `packages`. Only reads; nothing of it is loaded.
LibraryFacts find_library(const MachineView& view, const std::string& name,
                          const std::vector<std::string>& packages);

/// The directory from which `program` would take OpenVINO; empty: none is seen.
std::filesystem::path find_openvino_of(const std::filesystem::path& program,
                                       const MachineView& view);

}  // namespace ovenbird
