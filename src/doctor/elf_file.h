// What a program or library says about itself: for which processor it is, which libraries it wants.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ovenbird {

struct ElfFacts {
  std::string fault;  // why it is no library of this processor, in a few words; empty: it is one
  std::vector<std::string> needed;  // libraries, as DT_NEEDED names them
  std::string run_path;             // where they are looked for: directories between colons
};

/// Reads the headers of a 64-bit x86-64 ELF file, which may be damaged. Never blocks.
ElfFacts read_elf(const std::filesystem::path& path);

}  // namespace ovenbird
