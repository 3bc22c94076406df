// Taking the buffer apart, never beyond its end.
#include "src/compiler_input.h"

#include <cstring>

namespace npu_emulator {
namespace {

using ovenbird::Code;
using ovenbird::fail;

constexpr size_t kHeaderBytes = 8;
constexpr uint32_t kParts = 2;

/// Takes a length and so many bytes off the front; false if there are fewer.
bool take(std::span<const uint8_t>& rest, std::span<const uint8_t>& part) {
  uint64_t bytes = 0;
  if (rest.size() < sizeof bytes) return false;
  std::memcpy(&bytes, rest.data(), sizeof bytes);
  rest = rest.subspan(sizeof bytes);
  if (bytes > rest.size()) return false;
  part = rest.first(bytes);
  rest = rest.subspan(bytes);
  return true;
}

}  // namespace

ovenbird::Result<CompilerInput> read_compiler_input(std::span<const uint8_t> bytes) {
  uint32_t parts = 0;
  if (bytes.size() >= kHeaderBytes) std::memcpy(&parts, bytes.data() + 4, sizeof parts);
  if (parts != kParts) {
    return fail(Code::kCorrupt, "the model is not serialized with a copy of its weights");
  }
  std::span<const uint8_t> rest = bytes.subspan(kHeaderBytes);
  std::span<const uint8_t> xml;
  CompilerInput input;
  if (!take(rest, xml) || !take(rest, input.weights)) {
    return fail(Code::kCorrupt, "the serialized model is cut off");
  }
  input.xml = {reinterpret_cast<const char*>(xml.data()), xml.size()};
  auto graph = ovenbird::read_ir_graph(input.xml);
  if (!graph) return ovenbird::Failure{graph.error()};
  input.graph = std::move(*graph);
  return input;
}

}  // namespace npu_emulator
