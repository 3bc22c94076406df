// Orders read, counted and claimed.
#include "fakes/fake_orders.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <tuple>
#include <utility>

namespace ovenbird {
namespace {

constexpr int kBadOrder = 86;

/// "step=5" gives {"step", 5}; without a number, 1.
std::pair<std::string, uint64_t> name_and_number(const std::string& word) {
  const size_t sign = word.find('=');
  if (sign == word.npos) return {word, 1};
  return {word.substr(0, sign), std::strtoull(word.c_str() + sign + 1, nullptr, 10)};
}

/// Whether this process is one of the first so many to ask.
bool claim(const std::string& claims, uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) {
    const std::string path = claims + "." + std::to_string(i);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) continue;
    ::close(file);
    return true;
  }
  return false;
}

}  // namespace

FakeOrders::FakeOrders(const Worker& worker) {
  const char* path = std::getenv(kFakeOrdersVariable);
  std::ifstream file(path ? path : "");
  std::string line;
  for (int number = 0; std::getline(file, line); ++number) {
    if (!line.empty()) read_line(line, worker, path + ("." + std::to_string(number)));
  }
}

void FakeOrders::read_line(const std::string& line, const Worker& worker,
                           const std::string& claims) {
  std::istringstream words(line);
  std::string word;
  words >> word;
  const auto [act, code] = name_and_number(word);
  Order order{.fault = {.act = act, .code = static_cast<uint32_t>(code)}, .claims = claims};
  bool is_meant = true;
  while (words >> word) {
    const auto [name, number] = name_and_number(word);
    const std::string value = word.substr(word.find('=') + 1);
    if (name == "at") {
      words >> word;
      std::tie(order.place, order.count) = name_and_number(word);
    } else if (name == "device") {
      is_meant = is_meant && value == worker.device;
    } else if (name == "role") {
      is_meant = is_meant && (value == "standby") == worker.is_standby;
    } else if (name == "slot") {
      order.slot = static_cast<uint32_t>(number);
    } else if (name == "times") {
      order.times = static_cast<uint32_t>(number);
    } else {
      ::_exit(kBadOrder);
    }
  }
  if (!is_meant) return;
  if (act == "slow") {
    slow_us_ = order.fault.code;
  } else if (order.place.empty()) {
    ::_exit(kBadOrder);
  } else {
    orders_.push_back(std::move(order));
  }
}

bool FakeOrders::may_go_on() {
  return ::access((std::string(std::getenv(kFakeOrdersVariable)) + ".go").c_str(), F_OK) == 0;
}

std::optional<FakeOrders::Fault> FakeOrders::reach(const std::string& place, uint32_t slot) {
  for (Order& order : orders_) {
    if (order.place != place || (order.slot && *order.slot != slot)) continue;
    if (++order.reached != order.count) continue;
    if (order.times && !claim(order.claims, *order.times)) continue;
    return order.fault;
  }
  return std::nullopt;
}

}  // namespace ovenbird
