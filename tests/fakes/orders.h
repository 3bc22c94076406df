// How a test gives fake workers their orders.
#pragma once

#include <string>

namespace ovenbird {

/// What workers that start from now on do wrong: see fakes/fake_orders.h. Until it is gone. One at
/// a time.
class Orders {
 public:
  explicit Orders(const std::string& lines);
  ~Orders();
  Orders(const Orders&) = delete;
  Orders& operator=(const Orders&) = delete;

  /// Whether a process has begun to do what the first line says, which has `times`.
  static bool is_obeyed();

  /// Lets processes go on that wait.
  static void let_go_on();
};

}  // namespace ovenbird
