// One pass, in steps that compilers turn into vector code.
#include "engine/logits_check.h"

#include <bit>
#include <cstdint>
#include <string>

namespace ovenbird {
namespace {

constexpr uint32_t kInfinity = 0x7f800000;  // its bits, and the least that are not a finite number

enum class Fault { kNone, kNotFinite, kAllSame };

Fault fault_of(std::span<const float> row) {
  const uint32_t first = std::bit_cast<uint32_t>(row[0]);
  uint32_t not_finite = 0;
  uint32_t differs = 0;
  for (const float logit : row) {
    const uint32_t bits = std::bit_cast<uint32_t>(logit);
    not_finite |= uint32_t{(bits & 0x7fffffff) >= kInfinity};
    differs |= bits ^ first;
  }
  if (not_finite) return Fault::kNotFinite;
  return differs || row.size() == 1 ? Fault::kNone : Fault::kAllSame;
}

}  // namespace

Status check_logits(std::span<const float> logits, size_t vocabulary) {
  for (size_t row = 0; (row + 1) * vocabulary <= logits.size(); ++row) {
    const Fault fault = fault_of(logits.subspan(row * vocabulary, vocabulary));
    if (fault == Fault::kNone) continue;
    return fail(Code::kBadOutput,
                "row " + std::to_string(row) + " of the logits " +
                    (fault == Fault::kNotFinite ? "has a number that is not finite"
                                                : "is the same number everywhere") +
                    "; the device computed nonsense, try another --device");
  }
  return ok();
}

}  // namespace ovenbird
