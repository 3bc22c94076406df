// listen_at, accept_from, connect_to: what may stand at a path, who may connect, and from when on.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/forked_process.h"
#include "support/open_descriptors.h"
#include "support/temporary_directory.h"
#include "wire/message_socket.h"
#include "wire/spoiled_bytes.h"

namespace ovenbird::wire {
namespace {

constexpr size_t kPathBytes = sizeof(sockaddr_un::sun_path) - 1;
constexpr MessageHeader kHeader{.type = 1, .request = 2, .session = 3};

std::string path_in(const TemporaryDirectory& directory, const std::string& name = "socket") {
  return (directory.path() / name).string();
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

/// A bound socket of any kind, as another program may have left it.
FileDescriptor bound_socket(const std::string& path, int type) {
  FileDescriptor made(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return made;
}

TEST_CASE("who connects is accepted, and both talk") {
  const TemporaryDirectory directory;
  const auto listener = listen_at(path_in(directory));
  REQUIRE(listener);
  CHECK(!*accept_from(*listener));

  const auto client = connect_to(path_in(directory));
  REQUIRE(client);
  const auto accepted = accept_from(*listener);
  REQUIRE(accepted);
  REQUIRE(*accepted);
  CHECK(!*accept_from(*listener));

  REQUIRE(client->send(kHeader, uint64_t{4}));
  CHECK((*accepted)->receive_within(-1));
  REQUIRE((*accepted)->send(kHeader, uint64_t{5}));
  CHECK(client->receive_within(-1));
  CHECK(peer_of(**accepted)->pid == ::getpid());
  CHECK(peer_of(*client)->user == ::geteuid());
  for (const int descriptor : {listener->get(), client->descriptor(), (*accepted)->descriptor()}) {
    CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  }
  // send() with kForRoom waits only if the socket does.
  CHECK((::fcntl(client->descriptor(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK((::fcntl((*accepted)->descriptor(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a client in another process is known by its number") {
  const TemporaryDirectory directory;
  const auto listener = listen_at(path_in(directory));
  REQUIRE(listener);
  ForkedProcess client([&] {
    const auto socket = connect_to(path_in(directory));
    return socket && socket->send(kHeader, static_cast<uint64_t>(::getpid())) &&
           !socket->receive_within(-1);  // until the other side goes
  });
  Result<std::optional<MessageSocket>> accepted = std::optional<MessageSocket>();
  while (!*accepted) {
    accepted = accept_from(*listener);
    REQUIRE(accepted);
  }
  auto received = (*accepted)->receive_within(-1);
  REQUIRE(received);
  REQUIRE(*received);
  CHECK(static_cast<uint64_t>(peer_of(**accepted)->pid) == *(*received)->body<uint64_t>());
  accepted = std::optional<MessageSocket>();
  CHECK(client.ends_well());
}

TEST_CASE("the file is its user's alone, whatever the mask of new files says") {
  const TemporaryDirectory directory;
  for (const mode_t mask : {0000, 0022, 0077, 0177}) {
    const mode_t before = ::umask(mask);
    const std::string path = path_in(directory, "socket" + std::to_string(mask));
    const auto listener = listen_at(path);
    ::umask(before);
    REQUIRE(listener);
    CHECK(mode_of(path) == 0600);
  }
}

TEST_CASE("a socket has its mode before it has its file") {
  // What listen_at relies on: Linux gives the file the mode of the socket, at bind.
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0);
  FileDescriptor made(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  REQUIRE(::fchmod(made.get(), 0600) == 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_in(directory).copy(address.sun_path, kPathBytes);
  REQUIRE(::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::umask(before);
  CHECK(mode_of(path_in(directory)) == 0600);
}

TEST_CASE("another user cannot connect") {
  if (::geteuid() != 0) return;  // needs to become another user
  const TemporaryDirectory directory;
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  const auto listener = listen_at(path_in(directory));
  REQUIRE(listener);
  ForkedProcess other([&] {
    constexpr uid_t kNobody = 65534;
    if (::setresuid(kNobody, kNobody, kNobody) != 0) return false;
    const auto refused = connect_to(path_in(directory));
    return !refused && refused.error().code == Code::kIo;
  });
  CHECK(other.ends_well());
}

TEST_CASE("a socket that nobody listens at is replaced, bound or left behind") {
  const TemporaryDirectory directory;
  const std::string path = path_in(directory);
  SUBCASE("its process has gone") { bound_socket(path, SOCK_SEQPACKET); }
  SUBCASE("of another kind") { bound_socket(path, SOCK_STREAM); }
  SUBCASE("of its kind, ours") { REQUIRE(listen_at(path)); }
  REQUIRE(std::filesystem::exists(path));
  const auto listener = listen_at(path);
  REQUIRE(listener);
  CHECK(connect_to(path));
}

TEST_CASE("where somebody listens nobody else does, and he goes on") {
  const TemporaryDirectory directory;
  const auto first = listen_at(path_in(directory));
  REQUIRE(first);
  check_refusal(listen_at(path_in(directory)), Code::kBusy, "another supervisor");
  while (*accept_from(*first)) {
  }
  const auto client = connect_to(path_in(directory));
  REQUIRE(client);
  CHECK(*accept_from(*first));
}

TEST_CASE("who listens and accepts nobody is there too, and is not waited for") {
  const TemporaryDirectory directory;
  const auto first = listen_at(path_in(directory));
  REQUIRE(first);
  std::vector<MessageSocket> waiting;
  Result<MessageSocket> client = connect_to(path_in(directory));
  for (; client; client = connect_to(path_in(directory))) waiting.push_back(std::move(*client));
  check_refusal(client, Code::kBusy, "nobody is let in");
  CHECK(waiting.size() >= 64);
  check_refusal(listen_at(path_in(directory)), Code::kBusy, "another supervisor");

  REQUIRE(*accept_from(*first));
  CHECK(connect_to(path_in(directory)));
}

TEST_CASE("what is no socket of ours is left alone") {
  const TemporaryDirectory directory;
  const std::string path = path_in(directory);
  const ptrdiff_t before = open_descriptors();
  SUBCASE("a file") {
    directory.write("socket", "precious");
    check_refusal(listen_at(path), Code::kIo, "no socket");
    check_refusal(connect_to(path), Code::kNotFound, path);
    CHECK(std::filesystem::file_size(path) == 8);
  }
  SUBCASE("a directory") {
    std::filesystem::create_directory(path);
    check_refusal(listen_at(path), Code::kIo, path);
    CHECK(std::filesystem::is_directory(path));
  }
  SUBCASE("a pipe, which is not waited for") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    check_refusal(listen_at(path), Code::kIo, "no socket");
    CHECK(std::filesystem::is_fifo(path));
  }
  SUBCASE("a link to nothing") {
    std::filesystem::create_symlink(directory.path() / "nothing", path);
    check_refusal(listen_at(path), Code::kIo, "no socket");
    CHECK(std::filesystem::is_symlink(path));
  }
  SUBCASE("a link to a file") {
    std::filesystem::create_symlink(directory.write("precious", "text"), path);
    check_refusal(listen_at(path), Code::kIo, "no socket");
    CHECK(mode_of(directory.path() / "precious") != 0600);
  }
  SUBCASE("a socket of another kind at which somebody listens") {
    const FileDescriptor theirs = bound_socket(path, SOCK_STREAM);
    REQUIRE(::listen(theirs.get(), 1) == 0);
    check_refusal(listen_at(path), Code::kIo, path);
    CHECK(std::filesystem::is_socket(path));
  }
  SUBCASE("a folder that is not there") {
    check_refusal(listen_at(path + "/none/socket"), Code::kIo, path);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a path may have as many bytes as an address holds") {
  const TemporaryDirectory directory;
  const std::string front = path_in(directory, "");
  const std::string longest = front + std::string(kPathBytes - front.size(), 's');
  REQUIRE(listen_at(longest));
  const std::string too_long = longest + "s";
  for (const std::string& path :
       {std::string(), too_long, std::string("\0free", 5), front + std::string("a\0b", 3)}) {
    check_refusal(listen_at(path), Code::kInvalidArgument, "a path may have");
    check_refusal(connect_to(path), Code::kInvalidArgument, "a path may have");
  }
}

TEST_CASE("a listener that is none is an error") {
  check_refusal(accept_from(FileDescriptor(-1)), Code::kIo, "accept a client");
}

}  // namespace
}  // namespace ovenbird::wire
