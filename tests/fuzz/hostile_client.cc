// Nearly right messages.
#include "hostile_client.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/shared_memory.h"

namespace ovenbird {
namespace {

using wire::ClientMessage;

constexpr size_t kSavedBytesMax = 1 << 16;
constexpr uint32_t kLastQuestion = 1 << 20;

template <typename Value>
void append(std::vector<std::byte>& bytes, const Value& value) {
  const auto added = std::as_bytes(std::span(&value, 1));
  bytes.insert(bytes.end(), added.begin(), added.end());
}

void append_tokens(std::vector<std::byte>& bytes, InputBytes& input, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) append(bytes, int32_t{input.next<uint8_t>()});
}

/// Small mostly; now and then anything.
uint32_t some_number(InputBytes& input) {
  const auto small = input.next<uint8_t>();
  return small < 0xf0 ? small % 32 : input.next<uint32_t>();
}

FileDescriptor file_of(std::span<const std::byte> content, int seals) {
  FileDescriptor made(::memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  OVENBIRD_CHECK(::write(made.get(), content.data(), content.size()) == ssize_t(content.size()));
  if (seals != 0) OVENBIRD_CHECK(::fcntl(made.get(), F_ADD_SEALS, seals) == 0);
  return made;
}

}  // namespace

/// All of them: up to that to a question which is asked now.
bool HostileClient::read_answers() {
  if (!socket_.send({.type = number_of(ClientMessage::kStatistics), .request = kLastQuestion}, {},
                    {}, {}, wire::MessageSocket::Wait::kForRoom)) {
    return false;
  }
  for (;;) {
    const Result<std::optional<wire::Message>> message = socket_.receive_within(-1);
    if (!message) return false;
    if (!*message) continue;
    if ((*message)->header.request == kLastQuestion) return true;
    const auto type = static_cast<ClientMessage>((*message)->header.type);
    if (type == ClientMessage::kOpened) {
      const auto body = (*message)->body<wire::Opened>();
      OVENBIRD_CHECK(body && !(*message)->descriptors.empty());
      sessions_.push_back({.number = body->session, .key = body->key});
    } else if (type == ClientMessage::kSaved) {
      OVENBIRD_CHECK((*message)->descriptors.size() == 1);
      std::vector<std::byte> content(kSavedBytesMax);
      const ssize_t bytes =
          ::pread((*message)->descriptors[0].get(), content.data(), content.size(), 0);
      OVENBIRD_CHECK(bytes > 0);
      content.resize(static_cast<size_t>(bytes));
      saved_ = std::move(content);
    }
  }
}

uint64_t HostileClient::pick_session(uint8_t choice, uint64_t victim) const {
  if (choice == 0xff) return victim;
  if (choice >= 0xf0) return choice;
  return sessions_.empty() ? 0 : sessions_[choice % sessions_.size()].number;
}

/// Body and tail as they should be, but for numbers that may be anything.
std::vector<std::byte> HostileClient::body_of(uint32_t type, Opened* session,
                                              InputBytes& input) const {
  std::vector<std::byte> bytes;
  switch (static_cast<ClientMessage>(type)) {
    case ClientMessage::kHello:
      append(bytes, wire::Hello{.version = some_number(input)});
      break;
    case ClientMessage::kOpen:
    case ClientMessage::kFork:
    case ClientMessage::kLoad:
      append(bytes, wire::Open{.flags = some_number(input), .tokens_max = some_number(input) * 8});
      break;
    case ClientMessage::kClaim:
      append(bytes, wire::Claim{.key = session ? session->key : some_number(input)});
      break;
    case ClientMessage::kFeed: {
      const wire::Feed feed{.keep = some_number(input), .tokens = some_number(input)};
      append(bytes, feed);
      append_tokens(bytes, input, std::min(feed.tokens, 100u));
      break;
    }
    case ClientMessage::kTurn: {
      wire::AskTurn ask{.number = session ? ++session->turns : some_number(input),
                        .keep = some_number(input),
                        .tokens = some_number(input),
                        .answer_tokens_max = some_number(input),
                        .logit_rows = input.next<uint8_t>() % 4u,
                        .flags = some_number(input),
                        .end_ids = input.next<uint8_t>() % 40u,
                        .biases = input.next<uint8_t>() % 4u};
      if (ask.flags % 5 == 0) ask.sampling = input.next<wire::Sampling>();
      append(bytes, ask);
      append_tokens(bytes, input, ask.end_ids + 2 * ask.biases + std::min(ask.tokens, 100u));
      break;
    }
    case ClientMessage::kCancel:
      append(bytes, wire::Cancel{.turn = session ? session->turns : some_number(input)});
      break;
    default:
      break;
  }
  return bytes;
}

/// What the supervisor has saved, some bytes of it others.
FileDescriptor HostileClient::saved_again(InputBytes& input) const {
  std::vector<std::byte> content = saved_;
  for (auto changes = input.next<uint8_t>() % 4; changes > 0 && !content.empty(); --changes) {
    const size_t place = input.next<uint16_t>();
    content[place % std::min<size_t>(content.size(), 256)] ^= input.next<std::byte>();
  }
  return file_of(content, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

FileDescriptor HostileClient::pick_descriptor(InputBytes& input) const {
  int ends[2];
  switch (input.next<uint8_t>() % 8) {
    case 0:
      return FileDescriptor(::open("/dev/zero", O_RDWR | O_CLOEXEC));
    case 1:
      OVENBIRD_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
      break;
    case 2:
      OVENBIRD_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
      break;
    case 3:  // of some of the seals only
      return file_of(saved_, input.next<uint8_t>() % 16);
    case 4: {
      const auto raw = input.take(200);
      return file_of(std::as_bytes(raw), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    }
    default:
      return saved_again(input);
  }
  ::close(ends[1]);
  return FileDescriptor(ends[0]);
}

bool HostileClient::act(InputBytes& input, uint64_t victim) {
  const auto kind = input.next<uint8_t>();
  if (kind % 4 == 0) return read_answers();
  uint32_t type = 1 + input.next<uint8_t>() % 11u;
  if (kind == 0xfd) type = input.next<uint32_t>();
  const uint64_t number = pick_session(input.next<uint8_t>(), victim);
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [&](const Opened& one) { return one.number == number; });
  Opened* session = found == sessions_.end() || kind == 0xfe ? nullptr : &*found;
  std::vector<std::byte> bytes = body_of(type, session, input);
  if (kind == 0xff) bytes.resize(std::min<size_t>(input.next<uint8_t>(), bytes.size()));
  std::vector<FileDescriptor> descriptors;
  const bool needs_one = type == number_of(ClientMessage::kLoad);
  for (int count = kind >= 0xf0 ? kind % 4 : needs_one; count > 0; --count) {
    descriptors.push_back(pick_descriptor(input));
  }
  std::vector<int> numbers;
  for (const FileDescriptor& descriptor : descriptors) numbers.push_back(descriptor.get());
  const Status sent = socket_.send({.type = type, .request = kind, .session = number}, bytes, {},
                                   numbers, wire::MessageSocket::Wait::kNever);
  return sent || sent.error().code == Code::kBusy;
}

}  // namespace ovenbird
