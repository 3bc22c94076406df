// SHA-256 of bytes that arrive piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace ovenbird {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(std::span<const std::byte> bytes);
  /// 64 lower-case hexadecimal digits. Call once; nothing may be added after it.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ovenbird
