// Messages between processes: one packet of a Unix socket each, with descriptors beside it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/file_descriptor.h"
#include "ovenbird/result.hpp"

namespace ovenbird::wire {

inline constexpr size_t kMessageBytesMax = 1 << 16;
inline constexpr size_t kDescriptorsMax = 3;  // beside one message

/// What every message begins with.
struct MessageHeader {
  uint32_t type = 0;     // ClientMessage or WorkerMessage
  uint32_t request = 0;  // chosen by who asks, repeated by who answers; 0: no answer is wanted
  uint64_t session = 0;  // its number; 0: none
};
static_assert(sizeof(MessageHeader) == 16);

/// A message that has arrived: a header, a body of fixed size that its type knows, and a tail.
struct Message {
  MessageHeader header;
  std::vector<std::byte> payload;  // body and tail
  std::vector<FileDescriptor> descriptors;

  /// The body, copied. Errors: kCorrupt (it is shorter than that).
  template <typename Body>
  Result<Body> body() const {
    static_assert(std::is_trivially_copyable_v<Body>);
    if (payload.size() < sizeof(Body)) return too_short(sizeof(Body));
    Body body;
    std::memcpy(&body, payload.data(), sizeof body);
    return body;
  }

  /// What follows the body.
  template <typename Body>
  std::span<const std::byte> tail() const {
    return std::span(payload).subspan(std::min(sizeof(Body), payload.size()));
  }

  Failure too_short(size_t bytes) const;
};

/// One end of a SOCK_SEQPACKET Unix socket. Never raises SIGPIPE. One thread at a time, but for
/// send(), which may be called by any.
class MessageSocket {
 public:
  MessageSocket() = default;
  explicit MessageSocket(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  explicit operator bool() const { return static_cast<bool>(descriptor_); }
  int descriptor() const { return descriptor_.get(); }

  enum class Wait { kNever, kForRoom };

  /// Sends one message: header, body, tail. With kNever it does not wait for a peer that does not
  /// read. Errors: kBusy (there is no room; nothing was sent), kNotFound (the peer has gone), kIo,
  /// kInvalidArgument (longer than kMessageBytesMax).
  Status send(const MessageHeader& header, std::span<const std::byte> body,
              std::span<const std::byte> tail, std::span<const int> descriptors, Wait wait) const;

  /// The same with a body that is a plain struct. (What is bytes already is sent by the above, not
  /// as the span that points to them.)
  template <typename Body>
  requires(!std::is_convertible_v<const Body&, std::span<const std::byte>>) Status
      send(const MessageHeader& header, const Body& body, std::span<const std::byte> tail = {},
           std::span<const int> descriptors = {}, Wait wait = Wait::kNever)
  const {
    static_assert(std::is_trivially_copyable_v<Body> && !std::is_pointer_v<Body>);
    return send(header, std::as_bytes(std::span(&body, 1)), tail, descriptors, wait);
  }

  /// The next message, none if there is none yet. Does not wait. Errors: kNotFound (the peer has
  /// gone, or sent an empty packet, which looks the same), kCorrupt (a packet that is no message,
  /// or came without its descriptors because this process may open no more), kIo. Descriptors of
  /// what is refused are closed.
  Result<std::optional<Message>> receive() const;

  /// The next message, at the latest after `timeout_ms`; -1: however long it takes.
  Result<std::optional<Message>> receive_within(int timeout_ms) const;

 private:
  FileDescriptor descriptor_{-1};
};

/// Two ends that talk with each other. Errors: kIo.
Result<std::array<MessageSocket, 2>> socket_pair();

/// A socket that listens at `path`, for this user only from its first moment on. A socket file that
/// nobody listens at is replaced: whoever calls this holds a lock that belongs to the path, so that
/// no two do at once. Does not wait. Errors: kBusy (somebody listens there), kIo (also if something
/// else stands there: it is left alone), kInvalidArgument (the path is empty or too long).
Result<FileDescriptor> listen_at(const std::string& path);

/// The next one who connects; none if there is none. Errors: kIo (with no descriptor left it comes
/// again at once: whoever polls the listener looks away for a while).
Result<std::optional<MessageSocket>> accept_from(const FileDescriptor& listener);

/// Connects to who listens at `path`. Does not wait. Errors: kNotFound (nobody does), kBusy (who
/// listens there accepts nobody, and as many as it lets wait do), kIo, kInvalidArgument.
Result<MessageSocket> connect_to(const std::string& path);

/// Who is at the other end.
struct Peer {
  int pid = 0;
  uint32_t user = 0;
};
Result<Peer> peer_of(const MessageSocket& socket);

}  // namespace ovenbird::wire
