// Reading facts out of a JSON object that nobody has checked.
#include "checkpoint/json_facts.h"

#include <limits>
#include <utility>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {

using Json = nlohmann::json;

JsonFacts::JsonFacts(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object_.is_object()) refuse(Code::kCorrupt, where_ + " is no JSON object");
}

const Json* JsonFacts::member(const char* key) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void JsonFacts::refuse(Code code, std::string message) {
  if (!fault_) fault_ = Error{code, std::move(message)};
}

void JsonFacts::refuse_kind(const char* key, const char* wanted) {
  const std::string seen = member(key)->dump(-1, ' ', true, Json::error_handler_t::replace);
  refuse(Code::kCorrupt, where_ + ": " + key + " is " + printable(seen) + ", not " + wanted);
}

std::optional<uint32_t> JsonFacts::count(const char* key) {
  const Json* value = member(key);
  if (!value) return std::nullopt;
  // Unsigned numbers beyond 63 bits come out negative.
  const int64_t number = value->is_number_integer() ? value->get<int64_t>() : -1;
  if (number < 0 || number > std::numeric_limits<uint32_t>::max()) {
    refuse_kind(key, "a count of 32 bits");
    return std::nullopt;
  }
  return static_cast<uint32_t>(number);
}

uint32_t JsonFacts::required_count(const char* key) {
  if (!has(key)) refuse(Code::kCorrupt, where_ + ": " + key + " is missing");
  return count(key).value_or(0);
}

std::optional<double> JsonFacts::number(const char* key) {
  const Json* value = member(key);
  if (!value) return std::nullopt;
  if (!value->is_number()) {
    refuse_kind(key, "a number");
    return std::nullopt;
  }
  return value->get<double>();
}

std::optional<bool> JsonFacts::flag(const char* key) {
  const Json* value = member(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) {
    refuse_kind(key, "true or false");
    return std::nullopt;
  }
  return value->get<bool>();
}

std::optional<std::string> JsonFacts::text(const char* key) {
  const Json* value = member(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) {
    refuse_kind(key, "a string");
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::vector<std::string> JsonFacts::texts(const char* key) {
  std::vector<std::string> out;
  const Json* value = member(key);
  if (!value) return out;
  bool is_list = value->is_array();
  for (size_t index = 0; is_list && index < value->size(); ++index) {
    is_list = (*value)[index].is_string();
    if (is_list) out.push_back((*value)[index].get<std::string>());
  }
  if (!is_list) refuse_kind(key, "a list of strings");
  return out;
}

std::vector<int64_t> JsonFacts::ids(const char* key) {
  std::vector<int64_t> out;
  const Json* value = member(key);
  if (!value) return out;
  const size_t count = value->is_array() ? value->size() : 1;
  if (count > limits::kConfigIdsMax) {
    refuse(Code::kCorrupt, where_ + ": " + key + " has " + std::to_string(count) +
                               " entries; at most " + std::to_string(limits::kConfigIdsMax) +
                               " are read");
    return out;
  }
  for (size_t index = 0; index < count; ++index) {
    const Json& id = value->is_array() ? (*value)[index] : *value;
    if (!id.is_number_integer()) {
      refuse_kind(key, "a token id or a list of them");
      return {};
    }
    out.push_back(id.get<int64_t>());
  }
  return out;
}

std::vector<float> JsonFacts::numbers(const char* key) {
  std::vector<float> out;
  const Json* value = member(key);
  if (!value) return out;
  bool is_list = value->is_array();
  for (size_t index = 0; is_list && index < value->size(); ++index) {
    is_list = (*value)[index].is_number();
    if (is_list) out.push_back((*value)[index].get<float>());
  }
  if (!is_list) refuse_kind(key, "a list of numbers");
  return out;
}

const Json* JsonFacts::object(const char* key) {
  const Json* value = member(key);
  if (value && !value->is_object()) {
    refuse_kind(key, "an object");
    return nullptr;
  }
  return value;
}

}  // namespace ovenbird
