// Reading a JSON object of the manifest that nobody has checked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ovenbird {

/// Reads fields one by one and remembers the first that is wrong, so that callers check once.
class FieldReader {
 public:
  FieldReader(const nlohmann::json& object, std::string where) : object_(object), where_(where) {
    if (!object.is_object()) wrong("", "an object");
  }

  void text(const char* key, std::string& out) {
    if (const auto* value = find(key, &nlohmann::json::is_string, "a string")) {
      out = value->get<std::string>();
    }
  }
  bool has(const char* key) const { return object_.contains(key); }
  void flag(const char* key, bool& out) {
    if (const auto* value = find(key, &nlohmann::json::is_boolean, "true or false")) {
      out = value->get<bool>();
    }
  }
  template <typename Number>
  void number(const char* key, Number& out, int64_t min, uint64_t max) {
    const auto* value = find(key, &nlohmann::json::is_number_integer, "a whole number");
    if (!value) return;
    const bool below = whole_of(*value) < min;  // beyond int64 it is at most `max` or refused
    const bool above = value->is_number_unsigned() && value->get<uint64_t>() > max;
    if (below || above) {
      return wrong(key, "in [" + std::to_string(min) + ", " + std::to_string(max) + "]");
    }
    out = static_cast<Number>(value->get<int64_t>());
  }
  void whole_numbers(const char* key, std::vector<int64_t>& out) {
    constexpr const char* kWanted = "an array of whole numbers";
    const auto* value = find(key, &nlohmann::json::is_array, kWanted);
    if (!value) return;
    for (const auto& entry : *value) {
      if (!entry.is_number_integer()) return wrong(key, kWanted);
      out.push_back(whole_of(entry));
    }
  }
  void texts(const char* key, std::vector<std::string>& out) {
    constexpr const char* kWanted = "an array of strings";
    const auto* value = find(key, &nlohmann::json::is_array, kWanted);
    if (!value) return;
    for (const auto& entry : *value) {
      if (!entry.is_string()) return wrong(key, kWanted);
      out.push_back(entry.get<std::string>());
    }
  }
  void numbers(const char* key, std::vector<double>& out) {
    constexpr const char* kWanted = "an array of numbers";
    const auto* value = find(key, &nlohmann::json::is_array, kWanted);
    if (!value) return;
    for (const auto& entry : *value) {
      if (!entry.is_number()) return wrong(key, kWanted);
      out.push_back(entry.get<double>());
    }
  }
  /// Calls `each` with a FieldReader for every object of the array `key`, which has at most
  /// `count_max`.
  template <typename Each>
  void objects(const char* key, size_t count_max, Each each) {
    const auto* value = find(key, &nlohmann::json::is_array, "an array");
    if (!value) return;
    if (value->size() > count_max) {
      return wrong(key, "an array of at most " + std::to_string(count_max));
    }
    for (size_t index = 0; index < value->size() && !error_; ++index) {
      FieldReader entry((*value)[index], where_ + key + "[" + std::to_string(index) + "].");
      if (!entry.error_) each(entry);
      error_ = std::move(entry.error_);
    }
  }
  template <typename Each>
  void object(const char* key, Each each) {
    const auto* value = find(key, &nlohmann::json::is_object, "an object");
    if (!value) return;
    FieldReader entry(*value, where_ + key + ".");
    each(entry);
    error_ = std::move(entry.error_);
  }

  void wrong(const std::string& key, const std::string& wanted) {
    if (!error_) error_ = where_ + key + " must be " + wanted;
  }
  const std::optional<std::string>& error() const { return error_; }

 private:
  using Is = bool (nlohmann::json::*)() const noexcept;

  /// The largest int64 for what is larger.
  static int64_t whole_of(const nlohmann::json& value) {
    constexpr auto kLargest = std::numeric_limits<int64_t>::max();
    if (!value.is_number_unsigned()) return value.get<int64_t>();
    return static_cast<int64_t>(std::min<uint64_t>(value.get<uint64_t>(), kLargest));
  }

  const nlohmann::json* find(const char* key, Is is, const char* wanted) {
    if (error_) return nullptr;
    const auto found = object_.find(key);
    if (found != object_.end() && ((*found).*is)()) return &*found;
    wrong(key, wanted);
    return nullptr;
  }

  const nlohmann::json& object_;
  std::string where_;
  std::optional<std::string> error_;
};

}  // namespace ovenbird
