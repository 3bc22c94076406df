// Descriptors that only say that something has happened.
#pragma once

#include <chrono>

#include "base/file_descriptor.h"
#include "ovenbird/result.hpp"

namespace ovenbird::client {

/// Readable while one of those added to it is. Errors: kIo.
Result<FileDescriptor> make_event_set();
/// A descriptor that is closed leaves the set by itself. Errors: kIo.
Status add_to_event_set(const FileDescriptor& set, int descriptor);
void remove_from_event_set(const FileDescriptor& set, int descriptor);

/// Readable from ring() until drain(). Errors: kIo.
Result<FileDescriptor> make_bell();
void ring(const FileDescriptor& bell);

/// Readable from a moment on, until drain(). Errors: kIo.
Result<FileDescriptor> make_alarm();
void set_alarm(const FileDescriptor& alarm, std::chrono::steady_clock::time_point when);

/// Takes away what has been said. Whether there was something.
bool drain(const FileDescriptor& bell_or_alarm);

enum class Drained { kOpen, kPeerGone };
/// The same for a socket whose packets say nothing.
Drained drain_socket(const FileDescriptor& socket);

/// Sleeps until it is readable, or until then.
void sleep_on(const FileDescriptor& descriptor, std::chrono::steady_clock::time_point until);

}  // namespace ovenbird::client
