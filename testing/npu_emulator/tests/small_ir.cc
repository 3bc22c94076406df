// Text by text.
#include "small_ir.h"

#include <cstring>

namespace npu_emulator {
namespace {

/// A port; `names` with commas between them, or "".
std::string port(const SmallIr& ir, int id, const std::string& names = "") {
  std::string text = "<port id=\"" + std::to_string(id) + "\" precision=\"" + ir.precision + "\"";
  if (!names.empty()) text += " names=\"" + names + "\"";
  text += ">";
  for (const int size : ir.shape) text += "<dim>" + std::to_string(size) + "</dim>";
  return text + "</port>";
}

std::string parameter(const SmallIr& ir, int id, const char* name, const std::string& names) {
  std::string shape;
  for (const int size : ir.shape) {
    shape += (shape.empty() ? "" : ",") + (size < 0 ? "?" : std::to_string(size));
  }
  return "<layer id=\"" + std::to_string(id) + "\" name=\"" + name +
         "\" type=\"Parameter\" version=\"opset1\"><data shape=\"" + shape + "\" element_type=\"" +
         ir.element_type + "\"/><output>" + port(ir, 0, names) + "</output></layer>";
}

std::string edge(const char* from, const char* port, const char* to, const char* to_port) {
  return std::string("<edge from-layer=\"") + from + "\" from-port=\"" + port + "\" to-layer=\"" +
         to + "\" to-port=\"" + to_port + "\"/>";
}

template <typename Number>
void append(std::vector<uint8_t>& bytes, Number number) {
  bytes.resize(bytes.size() + sizeof number);
  std::memcpy(bytes.data() + bytes.size() - sizeof number, &number, sizeof number);
}

}  // namespace

std::string xml_of(const SmallIr& ir) {
  std::string names;
  for (const std::string& name : ir.names) names += (names.empty() ? "" : ",") + name;
  return "<?xml version=\"1.0\"?><net name=\"small\" version=\"11\"><layers>" +
         parameter(ir, 0, "left", names) + parameter(ir, 1, "right", "") +
         "<layer id=\"2\" name=\"adder\" type=\"" + ir.operation + "\" version=\"opset1\"><input>" +
         port(ir, 0) + port(ir, 1) + "</input><output>" + port(ir, 2) + "</output></layer>" +
         "<layer id=\"3\" name=\"sum\" type=\"Result\" version=\"opset1\"><input>" + port(ir, 0) +
         "</input></layer></layers><edges>" + edge("0", "0", "2", "0") + edge("1", "0", "2", "1") +
         edge("2", "2", "3", "0") + "</edges></net>";
}

std::vector<uint8_t> serialized(std::string_view xml, std::span<const uint8_t> bin) {
  std::vector<uint8_t> bytes;
  append(bytes, uint16_t{7});   // the compiler's version
  append(bytes, uint16_t{20});  // ... and its minor one
  append(bytes, uint32_t{2});   // parts
  append(bytes, uint64_t{xml.size()});
  bytes.insert(bytes.end(), xml.begin(), xml.end());
  append(bytes, uint64_t{bin.size()});
  bytes.insert(bytes.end(), bin.begin(), bin.end());
  return bytes;
}

}  // namespace npu_emulator
