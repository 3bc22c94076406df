// What every soak asks of a client, and how it ends where that cannot be done.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

using Ids = std::vector<int32_t>;

/// What has nothing to do with the question of the soak: exit code 2.
[[noreturn]] inline void give_up(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", ::program_invocation_short_name, what.c_str());
  std::_Exit(2);
}

template <typename T>
T taken(Result<T> result, const char* what) {
  if (!result) give_up(std::string(what) + ": " + result.error().message);
  return std::move(*result);
}

}  // namespace ovenbird
