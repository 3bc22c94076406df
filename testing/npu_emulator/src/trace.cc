// Every line is one write(2) to a descriptor in append mode: processes may share a trace.
#include "src/trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "src/settings.h"

namespace npu_emulator {
namespace {

using Clock = std::chrono::steady_clock;

struct Output {
  int fd = -1;
  Clock::time_point start = Clock::now();
};

int open_trace(const std::string& where) {
  if (where.empty()) return -1;
  if (where == "-") return STDERR_FILENO;
  const int fd = ::open(where.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd >= 0) return fd;
  std::fprintf(stderr, "npu_emulator: cannot open the trace %s\n", where.c_str());
  std::_Exit(2);
}

const Output& output() {
  static const Output the_output{.fd = open_trace(settings().trace)};
  return the_output;
}

}  // namespace

bool is_tracing() { return output().fd >= 0; }

void trace(const char* event, const Json& members) {
  const Output& out = output();
  if (out.fd < 0) return;
  const auto age = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - out.start);
  Json line{{"t_us", age.count()}, {"event", event}};
  line.update(members);
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  // A trace that cannot be written must not change what the device does.
  [[maybe_unused]] const ssize_t written = ::write(out.fd, text.data(), text.size());
}

std::string address_text(const void* address) {
  char text[2 + 16 + 1];
  std::snprintf(text, sizeof text, "0x%lx", reinterpret_cast<unsigned long>(address));
  return text;
}

}  // namespace npu_emulator
