// A reader of ELF headers that trusts no number in them.
#include "doctor/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "base/file_descriptor.h"
#include "base/limits.h"

namespace ovenbird {
namespace {

constexpr size_t kNameBytesMax = 4096;  // PATH_MAX

class ElfReader {
 public:
  explicit ElfReader(int file) : file_(file) {}

  ElfFacts read() {
    Elf64_Ehdr header;
    if (!read_at(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
      return {.fault = "it is no ELF file"};
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
      return {.fault = "it is for another kind of processor"};
    }
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > limits::kElfHeadersMax) {
      return {.fault = "its headers are damaged"};
    }
    for (size_t index = 0; index < header.e_phnum; ++index) {
      Elf64_Phdr segment;
      if (!read_at(header.e_phoff + index * sizeof segment, segment)) {
        return {.fault = "its headers are cut off"};
      }
      if (segment.p_type == PT_LOAD) segments_.push_back(segment);
      if (segment.p_type == PT_DYNAMIC) dynamic_ = segment;
    }
    return read_dynamic();
  }

 private:
  template <typename Part>
  bool read_at(uint64_t offset, Part& part) const {
    if (offset > uint64_t{1} << 62) return false;
    return ::pread(file_, &part, sizeof part, static_cast<off_t>(offset)) == ssize_t{sizeof part};
  }

  /// The file's offset of an address in memory.
  std::optional<uint64_t> offset_of(uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
      return segment.p_offset + (address - segment.p_vaddr);
    }
    return std::nullopt;
  }

  std::string name_at(uint64_t offset) const {
    std::string name(kNameBytesMax, '\0');
    if (offset > uint64_t{1} << 62) return "";
    const ssize_t bytes = ::pread(file_, name.data(), name.size(), static_cast<off_t>(offset));
    if (bytes <= 0) return "";
    name.resize(static_cast<size_t>(bytes));
    const size_t end = name.find('\0');
    return end == std::string::npos ? "" : name.substr(0, end);
  }

  ElfFacts read_dynamic() const {
    ElfFacts facts;
    std::vector<uint64_t> needed;
    std::optional<uint64_t> names;
    uint64_t run_path = 0;
    const size_t entries = dynamic_.p_filesz / sizeof(Elf64_Dyn);
    for (size_t index = 0; index < entries && index < limits::kElfDynamicMax; ++index) {
      Elf64_Dyn entry;
      if (!read_at(dynamic_.p_offset + index * sizeof entry, entry)) break;
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_STRTAB) names = offset_of(entry.d_un.d_ptr);
      if (entry.d_tag == DT_NEEDED) needed.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) run_path = entry.d_un.d_val;
    }
    if (!names) return facts;
    for (const uint64_t name : needed) facts.needed.push_back(name_at(*names + name));
    if (run_path != 0) facts.run_path = name_at(*names + run_path);
    return facts;
  }

  int file_;
  std::vector<Elf64_Phdr> segments_;
  Elf64_Phdr dynamic_{};
};

}  // namespace

ElfFacts read_elf(const std::filesystem::path& path) {
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return {.fault = "it is no file that could be read"};
  }
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file) return {.fault = "it may not be read"};
  return ElfReader(file.get()).read();
}

}  // namespace ovenbird
