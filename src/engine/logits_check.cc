// One pass, in steps that compilers turn into vector code.
#include "engine/logits_check.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>

namespace ovenbird {
namespace {

constexpr size_t kLanes = 16;  // numbers in a step: a compiler makes a few vectors of them

enum class Fault { kNone, kNotFinite, kAllSame };

/// What has been seen of a row, lane by lane.
struct Seen {
  std::array<float, kLanes> zeros{};       // sums of number * 0: NaN once one was not finite
  std::array<uint32_t, kLanes> changes{};  // bits in which a number differed from the first

  void look(const float* numbers, uint32_t first) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      zeros[lane] += numbers[lane] * 0.0f;
      changes[lane] |= std::bit_cast<uint32_t>(numbers[lane]) ^ first;
    }
  }
};

Fault fault_of(std::span<const float> row) {
  const uint32_t first = std::bit_cast<uint32_t>(row[0]);
  Seen seen;
  size_t at = 0;
  for (; at + kLanes <= row.size(); at += kLanes) seen.look(row.data() + at, first);
  std::array<float, kLanes> rest;
  rest.fill(row[0]);
  std::ranges::copy(row.subspan(at), rest.begin());
  seen.look(rest.data(), first);
  const auto is_zero = [](float sum) { return sum == 0; };
  if (!std::ranges::all_of(seen.zeros, is_zero)) return Fault::kNotFinite;
  const bool differs = std::ranges::any_of(seen.changes, [](uint32_t bits) { return bits != 0; });
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
