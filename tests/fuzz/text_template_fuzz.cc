// Fuzz: any bytes as a chat template; it ends, within its limits, in a text or an error.
#include <cstddef>
#include <cstdint>
#include <string>

#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const Result<ChatTemplate> chat =
      ChatTemplate::compile(std::string(reinterpret_cast<const char*>(data), size));
  if (!chat) return 0;
  ChatInput input;
  input.messages = {{{"role", "user"}, {"content", "Hi"}}, {{"role", "x"}, {"content", nullptr}}};
  input.now = 0;
  (void)chat->render(input);
  return 0;
}
