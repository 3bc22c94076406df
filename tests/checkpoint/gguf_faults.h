// A good GGUF, one thing made wrong in it, and what must then be said.
#pragma once

#include <functional>
#include <vector>

#include "checkpoint/refusal.h"
#include "checkpoint/tiny_gguf.h"
#include "support/temporary_directory.h"

namespace ovenbird {

struct Fault {
  const char* name;
  Code code;
  const char* words;  // in the message
  std::function<void(TinyGguf&)> spoil;
};

inline void check_faults(const TinyGguf& good, const std::vector<Fault>& faults) {
  const TemporaryDirectory directory;
  for (const Fault& fault : faults) {
    CAPTURE(fault.name);
    TinyGguf file = good;
    fault.spoil(file);
    check_refused(directory.write("m.gguf", file.bytes()), fault.code, fault.words);
  }
}

}  // namespace ovenbird
