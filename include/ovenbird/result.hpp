// Every stage returns this. A Result<T> is a T, or the Error that says why there is none.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace ovenbird {

/// What went wrong, in the words a caller can act on. `apps/` maps each to an exit code.
enum class Code {
  kInvalidArgument,  // the caller's request is wrong; retrying will not help
  kNotFound,         // a file or a tensor is not there
  kCorrupt,          // bytes from a file or a peer break the format
  kUnsupported,      // well-formed, but nothing here can do it
  kIo,               // the operating system refused to read or write
  kNoDevice,         // no device can be used as asked
  kCompileFailed,    // a device does not take a graph, and would not at another try
  kOutOfMemory,      // a device, or its compiler, has not the memory that was asked for
  kDeviceLost,       // a device failed; the process should be replaced
  kBadOutput,        // a step is done, and its result is none: not numbers, or all the same
  kInterrupted,      // the user asked to stop
  kInternal,         // a bug of ours, noticed; please report the message
  kBusy,             // all slots and the queue before them are taken; try again later
};

/// `message` is one line for a human: what was tried, on what, what was seen, what to do.
struct Error {
  Code code;
  std::string message;
};

/// Wraps an Error on its way out, so that a T made from an Error is never ambiguous.
struct Failure {
  Error error;
};

[[nodiscard]] inline Failure fail(Code code, std::string message) {
  return {{code, std::move(message)}};
}

/// Passes `error` up with the caller's own step in front: "open bundle: read manifest: ...".
[[nodiscard]] inline Failure fail_in(const std::string& step, Error error) {
  return {{error.code, step + ": " + error.message}};
}

/// A strict subset of C++23 std::expected<T, Error>, so that one `using` can replace it later.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Reading the side that is not there throws std::bad_variant_access: a bug, not a condition.
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Nothing {};
using Status = Result<Nothing>;
inline Status ok() { return Nothing{}; }

}  // namespace ovenbird
