// A thread with a stack of a chosen size, which std::thread cannot give.
#include "text/deep_stack.h"

#include <pthread.h>

#include <cstring>
#include <string>

namespace ovenbird {
namespace {

void* run(void* work) {
  (*static_cast<const std::function<void()>*>(work))();
  return nullptr;
}

}  // namespace

Status run_on_deep_stack(size_t stack_bytes, const std::function<void()>& work) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_t thread{};
  int failed = pthread_attr_setstacksize(&attributes, stack_bytes);
  if (failed == 0) {
    failed = pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&work));
  }
  pthread_attr_destroy(&attributes);
  if (failed != 0) {
    return fail(Code::kIo, "start a thread with a stack of " + std::to_string(stack_bytes) +
                               " bytes: " + std::strerror(failed));
  }
  pthread_join(thread, nullptr);
  return ok();
}

}  // namespace ovenbird
