// Reading in turns, answering without waiting.
#include "supervisor/client_connections.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace ovenbird {
namespace {

constexpr int kMessagesInTurn = 16;  // of one client, before the others are heard

/// The number of the turn that a message asks for; 0: it asks for none.
uint32_t turn_of(const wire::Message& message) {
  if (message.header.type != static_cast<uint32_t>(wire::ClientMessage::kTurn)) return 0;
  const Result<wire::AskTurn> body = message.body<wire::AskTurn>();
  return body ? body->number : 0;
}

wire::MessageHeader answer_to(const wire::MessageHeader& request, wire::ClientMessage type) {
  return {
      .type = static_cast<uint32_t>(type), .request = request.request, .session = request.session};
}

}  // namespace

void ClientConnections::add(wire::MessageSocket socket) {
  const uint64_t client = next_++;
  const bool has_room = sockets_.size() < limits::kClientsMax;
  sockets_.emplace(client, std::move(socket));
  if (has_room) return;
  refuse(client, {},
         {Code::kBusy, "connect: " + std::to_string(limits::kClientsMax) + " clients are served"});
  doomed_.push_back(client);
}

std::vector<int> ClientConnections::descriptors() const {
  std::vector<int> all;
  for (const auto& [client, socket] : sockets_) all.push_back(socket.descriptor());
  return all;
}

bool ClientConnections::serve() {
  bool has_more = false;
  std::vector<uint64_t> clients;
  for (const auto& [client, socket] : sockets_) clients.push_back(client);
  for (const uint64_t client : clients) {
    has_more = serve(client, sockets_.at(client)) || has_more;
  }
  drop_doomed();
  return has_more;
}

bool ClientConnections::serve(uint64_t client, const wire::MessageSocket& socket) {
  for (int count = 0; count < kMessagesInTurn; ++count) {
    Result<std::optional<wire::Message>> message = socket.receive();
    if (message && !*message) return false;
    Status done = ok();
    wire::MessageHeader header;
    uint32_t turn = 0;
    if (message) {
      header = (*message)->header;
      turn = turn_of(**message);
      done = owner_.on_message(client, std::move(**message));
    }
    if (message && done) continue;
    const Error error = message ? done.error() : message.error();
    if (error.code != Code::kNotFound || message) refuse(client, header, error, turn);
    if (message && error.code != Code::kCorrupt) continue;
    doomed_.push_back(client);
    return false;
  }
  return true;
}

void ClientConnections::refuse(uint64_t client, const wire::MessageHeader& request,
                               const Error& error, uint32_t turn) {
  const auto text = std::as_bytes(std::span(error.message))
                        .first(std::min<size_t>(error.message.size(), wire::kMessageTextBytes));
  send(client, answer_to(request, wire::ClientMessage::kRefused),
       wire::Refused{.code = static_cast<uint32_t>(error.code), .turn = turn}, text);
}

void ClientConnections::drop_doomed() {
  // Who is gone may be named twice; to be told of it once is enough.
  for (const uint64_t client : std::exchange(doomed_, {})) {
    const auto found = sockets_.find(client);
    if (found == sockets_.end()) continue;
    owner_.on_gone(client);  // before its end is closed, by which the client knows it
    sockets_.erase(found);
  }
}

}  // namespace ovenbird
