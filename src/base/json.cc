// JSON from outside: nlohmann's reader feeds a builder that stops at the first limit.
#include "base/json.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace ovenbird {
namespace {

using Json = nlohmann::json;

/// Builds the document from the reader's events. Every event returns false to stop reading; then
/// `fault` says why.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonRules& rules) : rules_(rules) {}

  bool null() override { return place(nullptr); }
  bool boolean(bool value) override { return place(value); }
  bool number_integer(number_integer_t value) override { return place(value); }
  bool number_unsigned(number_unsigned_t value) override { return place(value); }
  bool number_float(number_float_t value, const string_t&) override { return place(value); }
  bool string(string_t& value) override { return place(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in text

  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [entry, is_new] =
        open_.back()->get_ref<Json::object_t&>().try_emplace(std::move(name));
    if (!is_new && rules_.duplicate_keys == DuplicateKeys::kRefuse) {
      return stop("the key \"" + entry->first.substr(0, 60) + "\" appears twice in one object");
    }
    member_ = &entry->second;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception& thrown) override {
    std::string what = thrown.what();  // "[json.exception.parse_error.101] parse error at ...: ..."
    if (const size_t end = what.find("] "); end != std::string::npos) what.erase(0, end + 2);
    for (char& c : what) {
      if (static_cast<unsigned char>(c) < ' ') c = ' ';
    }
    what.erase(std::min(what.find("; last read"), what.size()));  // may be anything, of any length
    return stop("byte " + std::to_string(position) + ": " + what.substr(0, 160));
  }

  Json document;
  std::string fault;

 private:
  bool stop(std::string why) {
    if (fault.empty()) fault = std::move(why);
    return false;
  }

  /// Puts a value where the reader stands: into the open array, under the last key, or on top.
  template <typename Value>
  Json* put(Value&& value) {
    if (open_.empty()) {
      document = std::forward<Value>(value);
      return &document;
    }
    if (open_.back()->is_array()) {
      auto& elements = open_.back()->get_ref<Json::array_t&>();
      return &elements.emplace_back(std::forward<Value>(value));
    }
    *member_ = std::forward<Value>(value);
    return member_;
  }

  template <typename Value>
  bool place(Value&& value) {
    put(std::forward<Value>(value));
    return true;
  }

  bool open(Json empty) {
    if (open_.size() >= rules_.depth_max) {
      return stop("more than " + std::to_string(rules_.depth_max) +
                  " arrays and objects inside one another");
    }
    open_.push_back(put(std::move(empty)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const JsonRules& rules_;
  std::vector<Json*> open_;  // from the outermost to the one being filled
  Json* member_ = nullptr;   // where the value of the last key goes
};

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, const JsonRules& rules) {
  if (text.size() > rules.bytes_max) {
    return fail(Code::kCorrupt, "parse JSON: " + std::to_string(text.size()) + " bytes, at most " +
                                    std::to_string(rules.bytes_max) + " are read");
  }
  // nlohmann's reader takes a NUL for the end of the text and would ignore what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(Code::kCorrupt, "parse JSON: byte " + std::to_string(nul + 1) + ": a NUL");
  }
  Builder builder(rules);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return fail(Code::kCorrupt, "parse JSON: " + builder.fault);
  }
  return std::move(builder.document);
}

}  // namespace ovenbird
