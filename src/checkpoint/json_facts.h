// Reading facts out of a JSON object that nobody has checked.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Reads members by key; one that is null counts as absent. A member of the wrong kind is a fault:
/// the first one is remembered, the reader gets "absent", and the caller looks at fault() once at
/// the end.
class JsonFacts {
 public:
  /// `object` must outlive this. `where` names it in messages, e.g. "config.json".
  JsonFacts(const nlohmann::json& object, std::string where);

  bool has(const char* key) const { return member(key) != nullptr; }
  /// Whether the key is there at all, be it with null.
  bool names(const char* key) const { return object_.is_object() && object_.contains(key); }
  std::optional<uint32_t> count(const char* key);
  std::optional<double> number(const char* key);
  std::optional<bool> flag(const char* key);
  std::optional<std::string> text(const char* key);
  std::vector<std::string> texts(const char* key);
  std::vector<int64_t> ids(const char* key);  // one integer or a list of them
  std::vector<float> numbers(const char* key);
  const nlohmann::json* object(const char* key);

  /// count() of a key that must be there.
  uint32_t required_count(const char* key);

  /// Remembers a fault that the caller found, if it is the first.
  void refuse(Code code, std::string message);
  const std::optional<Error>& fault() const { return fault_; }

 private:
  const nlohmann::json* member(const char* key) const;
  void refuse_kind(const char* key, const char* wanted);

  const nlohmann::json& object_;
  std::string where_;
  std::optional<Error> fault_;
};

}  // namespace ovenbird
