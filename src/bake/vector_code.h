// For loops that the compiler makes vector code of.
#pragma once

namespace ovenbird {

// OVENBIRD_CLONES(TARGET...): compiles a function for each of these, the widest first, and for any
// processor; what there is decides. Sanitizers start too late for the choice.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define OVENBIRD_CLONES(...) __attribute__((target_clones(__VA_ARGS__, "default")))
#else
#define OVENBIRD_CLONES(...)
#endif

/// Of a number near 3 * 2^22 the lowest bits of the mantissa count whole numbers: added to a number
/// below 2^22 and taken off again, it leaves the nearest whole one, of two the even one.
inline constexpr float kRounder = 0x1.8p23f;

}  // namespace ovenbird
