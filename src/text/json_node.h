// A place in a JSON document, with its path and with checked reading.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// The first fault found while a document is read. Reading goes on with defaults, and whoever reads
/// looks here before using what came out.
class Fault {
 public:
  /// `document` is put in front of every message.
  explicit Fault(std::string document) : document_(std::move(document)) {}

  void set(Code code, const std::string& message) {
    if (!error_) error_ = Error{code, document_ + ": " + message};
  }
  bool is_set() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  std::string document_;
  std::optional<Error> error_;
};

/// A view: document and fault must outlive it. A missing member and a null are the same.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string path, Fault& fault)
      : value_(value.is_null() ? nullptr : &value), path_(std::move(path)), fault_(&fault) {}

  bool exists() const { return value_ != nullptr; }
  bool is_object() const { return exists() && value_->is_object(); }
  bool is_array() const { return exists() && value_->is_array(); }
  bool is_string() const { return exists() && value_->is_string(); }
  const nlohmann::json& value() const { return *value_; }  // only if it exists
  const std::string& path() const { return path_; }
  Fault& fault() const { return *fault_; }

  JsonNode at(const char* key) const {
    const std::string path = path_.empty() ? key : path_ + "." + key;
    if (exists() && !is_object()) wrong("an object");
    if (is_object()) {
      const auto member = value_->find(key);
      if (member != value_->end()) return JsonNode(*member, path, *fault_);
    }
    return JsonNode(path, *fault_);
  }

  /// The elements of an array; none if it is missing.
  std::vector<JsonNode> elements() const {
    std::vector<JsonNode> all;
    if (exists() && !is_array()) wrong("an array");
    if (!is_array()) return all;
    for (size_t i = 0; i < value_->size(); ++i) {
      all.emplace_back((*value_)[i], path_ + "[" + std::to_string(i) + "]", *fault_);
    }
    return all;
  }

  std::string string() const {  // required
    if (is_string()) return value_->get<std::string>();
    wrong("a string");
    return {};
  }

  bool flag(bool if_missing = false) const {
    if (!exists()) return if_missing;
    if (!value_->is_boolean()) wrong("true or false");
    return value_->is_boolean() && value_->get<bool>();
  }

  /// An integer in [0, max].
  int64_t integer(int64_t max) const {
    // Unsigned is how the reader keeps every integer that is not negative.
    if (exists() && value_->is_number_unsigned() &&
        value_->get<uint64_t>() <= static_cast<uint64_t>(max)) {
      return value_->get<int64_t>();
    }
    wrong("an integer from 0 to " + std::to_string(max));
    return 0;
  }

  void wrong(const std::string& want) const {
    const std::string seen = exists() ? value_->type_name() : "missing";
    fault_->set(Code::kCorrupt, path_ + " is " + seen + ", want " + want);
  }

  void refuse(const std::string& what, const std::string& supported) const {
    fault_->set(Code::kUnsupported,
                path_ + ": " + what + " is not supported; supported: " + supported);
  }

 private:
  JsonNode(std::string path, Fault& fault) : path_(std::move(path)), fault_(&fault) {}

  const nlohmann::json* value_ = nullptr;
  std::string path_;
  Fault* fault_;
};

}  // namespace ovenbird
