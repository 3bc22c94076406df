// Starting and connecting.
#include "client/model_client.h"

#include <utility>

#include "wire/default_socket.h"

namespace ovenbird::client {

Result<std::shared_ptr<ModelClient>> ModelClient::start(SupervisorOptions options) {
  std::shared_ptr<ModelClient> made(new ModelClient());
  Result<SupervisorThread> supervisor = SupervisorThread::start(std::move(options));
  if (!supervisor) return Failure{supervisor.error()};
  made->supervisor_.emplace(std::move(*supervisor));
  Result<std::shared_ptr<Connection>> connection =
      Connection::open({.dial = [raw = made.get()] { return raw->supervisor_->connect(); }});
  if (!connection) return Failure{connection.error()};
  made->connection_ = std::move(*connection);
  return made;
}

Result<std::shared_ptr<ModelClient>> ModelClient::connect(const std::string& socket) {
  const Result<std::string> path =
      socket.empty() ? wire::default_socket() : Result<std::string>(socket);
  if (!path) return Failure{path.error()};
  std::shared_ptr<ModelClient> made(new ModelClient());
  Result<std::shared_ptr<Connection>> connection = Connection::open(
      {.dial = [where = *path] { return wire::connect_to(where); }, .again = true});
  if (!connection) return Failure{connection.error()};
  made->connection_ = std::move(*connection);
  return made;
}

const Result<ModelText>& ModelClient::text() {
  const std::lock_guard lock(text_mutex_);
  if (text_) return *text_;
  text_.emplace(ModelText::open(connection_->bundle()));
  if (*text_ && (*text_)->digest() != connection_->welcome().model) {
    text_.emplace(fail(Code::kCorrupt, "open tokenizer of " + connection_->bundle() +
                                           ": the bundle is another one than is being served; "
                                           "start the supervisor anew"));
  }
  return *text_;
}

Result<wire::Statistics> ModelClient::statistics() {
  const Result<wire::Message> answer = connection_->ask({.type = wire::ClientMessage::kStatistics},
                                                        wire::ClientMessage::kStatisticsAre);
  if (!answer) return Failure{answer.error()};
  return answer->body<wire::Statistics>();
}

}  // namespace ovenbird::client
