// The key-value part of a GGUF file: typed values, and reading them by key.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "checkpoint/byte_cursor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// The numbers are the format's own.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

/// An array stays where it lies in the file: `count` values of one plain type or strings, all of
/// them known to lie inside `bytes`.
struct GgufArray {
  GgufType type = GgufType::kU8;
  uint64_t count = 0;
  std::span<const std::byte> bytes;
};

/// Integers are widened, floats too; text points into the file.
using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray>;

/// Reads values by key. A value of the wrong kind is a fault: the first one is remembered, the
/// reader gets "absent", and the caller looks at fault() once at the end.
class GgufMetadata {
 public:
  /// Reads `entries` pairs from `cursor`, which points into a mapped file that must outlive this.
  /// Errors: kCorrupt (cut, unknown or nested types, a key twice, beyond base/limits.h).
  static Result<GgufMetadata> read(ByteCursor& cursor, uint64_t entries);

  bool has(std::string_view key) const { return values_.contains(key); }
  bool is_list(std::string_view key) const;
  std::optional<uint32_t> count(const std::string& key);
  std::optional<int64_t> integer(const std::string& key);
  std::optional<double> number(const std::string& key);  // finite
  std::optional<bool> flag(const std::string& key);
  std::optional<std::string> text(const std::string& key);
  std::vector<std::string> texts(const std::string& key);
  std::vector<int32_t> integers(const std::string& key);
  std::vector<float> numbers(const std::string& key);
  std::vector<bool> flags(const std::string& key);

  /// count() of a key that must be there.
  uint32_t required_count(const std::string& key);

  /// Remembers a fault that the caller found, if it is the first.
  void refuse(Code code, std::string message);
  const std::optional<Error>& fault() const { return fault_; }

 private:
  template <typename Kind>
  const Kind* as(const std::string& key, const char* wanted);
  const GgufArray* array(const std::string& key, GgufType type, const char* wanted);

  std::map<std::string_view, GgufValue> values_;
  std::optional<Error> fault_;
};

}  // namespace ovenbird
