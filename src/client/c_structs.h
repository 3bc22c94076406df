// How the C interface reads and writes its structs, and says what went wrong.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "ovenbird/ovenbird.h"
#include "ovenbird/result.hpp"

namespace ovenbird::client {

/// Keeps the line for ovenbird_last_error() of this thread.
ovenbird_status failed(const Error& error);

inline ovenbird_status status_of(const Status& status) {
  return status ? OVENBIRD_OK : failed(status.error());
}

/// The status of `act()`, a Status; what it throws becomes one too.
template <typename Act>
ovenbird_status guarded(Act act) {
  try {
    return status_of(act());
  } catch (const std::bad_alloc&) {
    return failed({Code::kOutOfMemory, "this process has no memory left"});
  } catch (const std::exception& thrown) {
    return failed({Code::kInternal, thrown.what()});
  }
}

/// A caller's options as this library knows them; null: the defaults. Errors: kInvalidArgument (no
/// size, or something set that this library does not know).
template <typename Struct>
Result<Struct> read_struct(const Struct* given) {
  Struct known{};
  known.bytes = sizeof known;
  if (!given) return known;
  if (given->bytes < sizeof given->bytes) {
    return fail(Code::kInvalidArgument, "a struct's `bytes` is not set: see OVENBIRD_INIT");
  }
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

/// Fills what the caller knows of a result. Errors: kInvalidArgument (null, or no size).
template <typename Struct>
Status write_struct(Struct value, Struct* place) {
  if (!place || place->bytes < sizeof place->bytes) {
    return fail(Code::kInvalidArgument, "a result has no place, or its `bytes` is not set");
  }
  value.bytes = place->bytes;
  std::memcpy(place, &value, std::min<size_t>(place->bytes, sizeof value));
  return ok();
}

inline Failure null_argument() {
  return fail(Code::kInvalidArgument, "an argument is null that may not be");
}

}  // namespace ovenbird::client
