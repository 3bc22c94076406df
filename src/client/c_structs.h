// How the C interface reads and writes its structs, and says what went wrong.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "base/message_text.h"
#include "ovenbird/ovenbird.h"
#include "ovenbird/result.hpp"

namespace ovenbird::client {

/// Keeps the beginning of the line for ovenbird_last_error() of this thread. Takes nothing from the
/// heap, where nothing may be left.
ovenbird_status failed(Code code, std::string_view line) noexcept;

inline ovenbird_status status_of(const Status& status) {
  return status ? OVENBIRD_OK : failed(status.error().code, one_line(status.error().message));
}

/// The status of `act()`, a Status; what it throws becomes one too.
template <typename Act>
ovenbird_status guarded(Act act) {
  try {
    return status_of(act());
  } catch (const std::bad_alloc&) {
    return failed(Code::kOutOfMemory, "this process has no memory left");
  } catch (const std::exception& thrown) {
    return failed(Code::kInternal, thrown.what());
  }
}

inline Failure null_argument() {
  return fail(Code::kInvalidArgument, "an argument is null that may not be");
}

/// Of no release. A caller who did not set `bytes` has garbage there, and nothing readable behind
/// it.
inline constexpr uint32_t kStructBytesMax = 4096;

template <typename Struct>
Status check_bytes(const Struct& given) {
  if (given.bytes >= sizeof given.bytes && given.bytes <= kStructBytesMax) return ok();
  return fail(Code::kInvalidArgument, "a struct's `bytes` is " + std::to_string(given.bytes) +
                                          "; set it to the struct's size: see OVENBIRD_INIT");
}

/// A caller's options as this library knows them; null: the defaults. Errors: kInvalidArgument (no
/// size, or something set that this library does not know).
template <typename Struct>
Result<Struct> read_struct(const Struct* given) {
  Struct known{};
  known.bytes = sizeof known;
  if (!given) return known;
  if (Status sized = check_bytes(*given); !sized) return Failure{sized.error()};
  const auto* bytes = reinterpret_cast<const char*>(given);
  const size_t size = given->bytes;
  const auto more = bytes + std::min(size, sizeof known);
  if (std::any_of(more, bytes + size, [](char byte) { return byte != 0; })) {
    return fail(Code::kInvalidArgument, "an option is set that this release does not know");
  }
  std::memcpy(&known, given, std::min(size, sizeof known));
  known.bytes = sizeof known;
  return known;
}

/// Whether a result may be written there. Errors: kInvalidArgument (null, or no size).
template <typename Struct>
Status check_place(const Struct* place) {
  return place ? check_bytes(*place) : null_argument();
}

/// Fills what the caller knows of a result. Errors: those of check_place().
template <typename Struct>
Status write_struct(Struct value, Struct* place) {
  if (Status may_be_written = check_place(place); !may_be_written) return may_be_written;
  value.bytes = place->bytes;
  std::memcpy(place, &value, std::min<size_t>(place->bytes, sizeof value));
  return ok();
}

}  // namespace ovenbird::client
