// A file in a directory of its own, where workers leave theirs.
#include "fakes/orders.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "fakes/fake_orders.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

/// Where fake workers look for orders: set before any thread is there, the same for all tests.
struct OrdersFile {
  OrdersFile() { ::setenv(kFakeOrdersVariable, path.c_str(), 1); }
  ~OrdersFile() {
    std::error_code ignored;
    fs::remove_all(fs::path(path).parent_path(), ignored);
  }

  static std::string make() {
    std::string pattern = (fs::temp_directory_path() / "ovenbird-XXXXXX").string();
    return std::string(::mkdtemp(pattern.data())) + "/orders";
  }
  const std::string path = make();
};

const OrdersFile orders_file;

}  // namespace

Orders::Orders(const std::string& lines) {
  std::ofstream file(orders_file.path, std::ios::trunc);
  file << lines << "\n";
  REQUIRE(file.flush().good());
}

Orders::~Orders() {
  const fs::path folder = fs::path(orders_file.path).parent_path();
  for (const auto& entry : fs::directory_iterator(folder)) fs::remove(entry.path());
}

bool Orders::is_obeyed() { return fs::exists(orders_file.path + ".0.0"); }

void Orders::let_go_on() { std::ofstream(orders_file.path + ".go").flush(); }

}  // namespace ovenbird
