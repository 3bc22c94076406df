// Handles. What one points at is shared, so that a queue's thread may still hold what the caller
// has destroyed: the plugin destroys queues and fences the moment it has seen a fence signalled.
#pragma once

#include <memory>
#include <utility>

#include "abi/level_zero.h"

namespace npu_emulator {

template <typename T>
ZeHandle make_handle(std::shared_ptr<T> object) {
  return new std::shared_ptr<T>(std::move(object));
}

/// The object of a handle that was made for a T. The handle itself is trusted, as in any driver.
template <typename T>
const std::shared_ptr<T>& object_of(ZeHandle handle) {
  return *static_cast<std::shared_ptr<T>*>(handle);
}

template <typename T>
void destroy_handle(ZeHandle handle) {
  delete static_cast<std::shared_ptr<T>*>(handle);
}

}  // namespace npu_emulator
