// A model that computes nothing, for tests of the driver alone. An output may lie where the input
// does.
#include <algorithm>
#include <cstring>

#include "src/model.h"

namespace npu_emulator {
namespace {

class EchoModel : public Model {
 public:
  explicit EchoModel(std::vector<Argument> arguments) : arguments_(std::move(arguments)) {}

  std::string run(std::span<void* const> addresses) override {
    if (arguments_.empty() || !arguments_[0].is_input) return "";
    for (size_t index = 0; index < arguments_.size(); ++index) {
      if (arguments_[index].is_input) continue;
      auto* out = static_cast<std::byte*>(addresses[index]);
      for (uint64_t at = 0; at < arguments_[index].bytes;) {
        const uint64_t count = std::min(arguments_[0].bytes, arguments_[index].bytes - at);
        if (count == 0) break;
        std::memmove(out + at, addresses[0], count);
        at += count;
      }
    }
    return "";
  }

 private:
  const std::vector<Argument> arguments_;
};

}  // namespace

std::unique_ptr<Model> make_echo(const std::vector<Argument>& arguments) {
  return std::make_unique<EchoModel>(arguments);
}

}  // namespace npu_emulator
