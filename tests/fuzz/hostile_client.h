// A client that does what bytes say: messages that are nearly right, with descriptors of every
// kind.
#pragma once

#include <cstdint>
#include <vector>

#include "shared_bytes.h"
#include "wire/client_protocol.h"
#include "wire/message_socket.h"

namespace ovenbird {

inline uint32_t number_of(wire::ClientMessage type) { return static_cast<uint32_t>(type); }

class HostileClient {
 public:
  explicit HostileClient(wire::MessageSocket socket) : socket_(std::move(socket)) {}

  /// One message, or a wait for what is answered. `victim`: a session of somebody else's. False:
  /// the supervisor has let this client go.
  bool act(InputBytes& input, uint64_t victim);

 private:
  struct Opened {
    uint64_t number = 0;
    uint64_t key = 0;
    uint32_t turns = 0;
  };

  bool read_answers();
  uint64_t pick_session(uint8_t choice, uint64_t victim) const;
  std::vector<std::byte> body_of(uint32_t type, Opened* session, InputBytes& input) const;
  FileDescriptor pick_descriptor(InputBytes& input) const;
  FileDescriptor saved_again(InputBytes& input) const;

  wire::MessageSocket socket_;
  std::vector<Opened> sessions_;
  std::vector<std::byte> saved_;  // what was answered to a kSave
};

}  // namespace ovenbird
