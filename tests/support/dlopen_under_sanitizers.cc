// Sanitizers end a program that calls dlopen with RTLD_DEEPBIND, as OpenVINO's TBB does for
// libtbbbind. In a sanitized test program this takes the place of dlopen and leaves the flag out.
#include <dlfcn.h>

extern "C" void* dlopen(const char* file, int flags) noexcept {
  using Dlopen = void* (*)(const char*, int);
  static const auto next = reinterpret_cast<Dlopen>(dlsym(RTLD_NEXT, "dlopen"));
  return next(file, flags & ~RTLD_DEEPBIND);
}
