// Looking for libraries without loading any.
#include "doctor/library_search.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/limits.h"
#include "doctor/elf_file.h"
#include "doctor/text_parts.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  struct stat facts;
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

/// Directories named by /etc/ld.so.conf and ld.so.conf.d/*.conf, as paths inside the machine.
void add_configured(const MachineView& view, std::vector<std::string>& directories) {
  const fs::path folder = view.root / "etc/ld.so.conf.d";
  std::vector<fs::path> files{view.root / "etc/ld.so.conf"};
  for (const std::string& name : list_directory(folder).names) {
    if (name.ends_with(".conf")) files.push_back(folder / name);
  }
  for (const fs::path& path : files) {
    const FileText file = read_probed_file(path, limits::kProbedFileBytesMax);
    for (const std::string_view line : lines_of(file.text)) {
      const std::string_view directory = trimmed(line);
      if (directories.size() == limits::kLibraryDirectoriesMax) return;
      if (directory.starts_with("/")) directories.emplace_back(directory);
    }
  }
}

/// "1.24.0" of "libze_loader.so.1.24.0"; empty if there are not at least two numbers.
std::string version_in_name(const std::string& name) {
  const size_t at = name.find(".so.");
  if (at == std::string::npos) return "";
  std::string version = name.substr(at + 4);
  return version.find('.') == std::string::npos ? "" : version;
}

std::string version_of_package(const MachineView& view, const std::vector<std::string>& packages) {
  const FileText list =
      read_probed_file(view.root / "var/lib/dpkg/status", limits::kProbedTableBytesMax);
  bool is_wanted = false;
  for (const std::string_view line : lines_of(list.text)) {
    if (line.starts_with("Package: ")) {
      is_wanted =
          std::find(packages.begin(), packages.end(), trimmed(line.substr(9))) != packages.end();
    }
    if (is_wanted && line.starts_with("Version: ")) return std::string(trimmed(line.substr(9)));
  }
  return "";
}

LibraryFacts describe(const MachineView& view, const fs::path& file, const std::string& shown,
                      const std::vector<std::string>& packages) {
  std::error_code error;
  const fs::path real = fs::canonical(file, error);
  LibraryFacts facts{.path = shown, .version = version_in_name(real.filename().string())};
  facts.fault = read_elf(file).fault;
  if (facts.version.empty()) facts.version = version_of_package(view, packages);
  return facts;
}

}  // namespace

LibraryFacts find_library(const MachineView& view, const std::string& name,
                          const std::vector<std::string>& packages) {
  for (const std::string_view directory : words_of(view.library_path, ":;")) {
    const fs::path file = fs::path(directory) / name;
    if (!is_file(file)) continue;
    // What is named by hand belongs to no package.
    LibraryFacts facts = describe(view, file, file.string(), {});
    facts.is_from_library_path = true;
    return facts;
  }
  std::vector<std::string> directories;
  add_configured(view, directories);
  for (const char* standard :
       {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib",
        "/usr/lib", "/usr/local/lib", "/run/opengl-driver/lib"}) {
    directories.emplace_back(standard);
  }
  for (const std::string& directory : directories) {
    const std::string shown = (fs::path(directory) / name).string();
    const fs::path file = view.root / shown.substr(1);
    if (is_file(file)) return describe(view, file, shown, packages);
  }
  return {};
}

fs::path find_openvino_of(const fs::path& program, const MachineView& view) {
  const ElfFacts elf = read_elf(program);
  for (const std::string& library : elf.needed) {
    if (!library.starts_with("libopenvino.so")) continue;
    const std::string places = view.library_path + ":" + elf.run_path;
    for (const std::string_view place : words_of(places, ":")) {
      std::string directory(place);
      if (const size_t at = directory.find("$ORIGIN"); at != std::string::npos) {
        directory.replace(at, 7, program.parent_path().string());
      }
      if (is_file(fs::path(directory) / library)) return fs::path(directory).lexically_normal();
    }
    const LibraryFacts found = find_library(view, library, {});
    return fs::path(found.path).parent_path();
  }
  return {};
}

LibrariesFacts read_libraries(const MachineView& view) {
  LibrariesFacts facts;
  facts.loader = find_library(view, "libze_loader.so.1", {"level-zero", "libze1"});
  facts.driver = find_library(view, "libze_intel_npu.so.1", {"intel-level-zero-npu"});
  if (facts.driver.path.empty()) {
    facts.driver = find_library(view, "libze_intel_vpu.so.1", {"intel-level-zero-npu"});
    facts.driver_has_old_name = !facts.driver.path.empty();
  }
  facts.driver_compiler =
      find_library(view, "libnpu_driver_compiler.so", {"intel-driver-compiler-npu"});
  return facts;
}

OpenVinoFacts read_openvino(const MachineView& view) {
  if (view.openvino_directory.empty()) return {};
  const auto has = [&](const char* name) { return is_file(view.openvino_directory / name); };
  return {.directory = view.openvino_directory.string(),
          .has_plugin = has("libopenvino_intel_npu_plugin.so"),
          .has_compiler = has("libopenvino_intel_npu_compiler_loader.so") &&
                          has("libopenvino_intel_npu_compiler.so")};
}

}  // namespace ovenbird
