// Who is connected, and what they say.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"
#include "wire/client_protocol.h"
#include "wire/message_socket.h"

namespace ovenbird {

/// Clients by number, from 1.
class ClientConnections {
 public:
  /// What is to be done with what they say.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// Errors: kCorrupt ends the connection; any other is answered with kRefused.
    virtual Status on_message(uint64_t client, wire::Message message) = 0;
    virtual void on_gone(uint64_t client) = 0;
  };

  explicit ClientConnections(Owner& owner) : owner_(owner) {}

  /// One more, unless there are too many: then it is told so and let go.
  void add(wire::MessageSocket socket);

  std::vector<int> descriptors() const;

  /// Reads what has come, of everybody in turn and of nobody more than a few messages, so that one
  /// who floods holds nobody up. True: more may be there to read.
  bool serve();

  /// Sends without waiting. One who does not read what was asked for is let go.
  template <typename Body>
  void send(uint64_t client, const wire::MessageHeader& header, const Body& body,
            std::span<const std::byte> tail = {}, std::span<const int> descriptors = {}) {
    const auto found = sockets_.find(client);
    if (found == sockets_.end()) return;
    if (!found->second.send(header, body, tail, descriptors)) doomed_.push_back(client);
  }

  /// `turn`: the number of the turn that was asked for; 0: none was.
  void refuse(uint64_t client, const wire::MessageHeader& request, const Error& error,
              uint32_t turn = 0);

  size_t count() const { return sockets_.size(); }

  /// Lets all go, whose sessions are over already.
  void end() { sockets_.clear(); }

 private:
  bool serve(uint64_t client, const wire::MessageSocket& socket);
  void drop_doomed();

  Owner& owner_;
  std::map<uint64_t, wire::MessageSocket> sockets_;
  std::vector<uint64_t> doomed_;
  uint64_t next_ = 1;
};

}  // namespace ovenbird
