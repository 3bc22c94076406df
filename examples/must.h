// For the other examples: what a Result holds, or the end of the program with its message.
#pragma once

#include <cstdlib>
#include <iostream>
#include <ovenbird/client.hpp>
#include <utility>

template <typename T>
T must(ovenbird::Result<T> result) {
  if (result) return *std::move(result);
  std::cerr << result.error().message << "\n";
  std::exit(1);
}
