// Runs code that recurses deeply on a stack that is large enough for it.
#pragma once

#include <cstddef>
#include <functional>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Runs `work`, which must not throw, on a thread of its own and waits for it. The system gives
/// memory to the stack only as it is used. Errors: kIo, no such thread can be had.
Status run_on_deep_stack(size_t stack_bytes, const std::function<void()>& work);

}  // namespace ovenbird
