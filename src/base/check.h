// For our own bugs only: a fact that must hold, checked in release builds too.
#pragma once

#include <cstdio>
#include <cstdlib>

/// Aborts with the fact and its place. Never for data from outside: that gets a Result.
#define OVENBIRD_CHECK(fact)                                                        \
  do {                                                                              \
    if (!(fact)) {                                                                  \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #fact); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)
