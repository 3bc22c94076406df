// Values: walks through lists and objects look at each of them once, so shared ones cost nothing.
#include "text/jinja_values.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace ovenbird {
namespace {

using jinja::value;
using jinja::value_t;

bool is_container(const value_t& checked) {
  return !checked.val_arr.empty() || !checked.val_obj.empty();
}

template <typename Visit>
void for_each_element(const value_t& container, const Visit& visit) {
  for (const value& element : container.val_arr) visit(element);
  for (const auto& [key, element] : container.val_obj) visit(key), visit(element);
  if (const auto* keyword = dynamic_cast<const jinja::value_kwarg_t*>(&container)) {
    visit(keyword->val);
  }
}

bool is_marked(const value_t& text) {
  const auto& parts = text.val_str.parts;
  return std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.is_input; });
}

bool find_user_text(const value& checked, std::unordered_set<const value_t*>& seen) {
  if (checked == nullptr) return false;
  if (is_marked(*checked)) return true;
  const bool is_keyword = dynamic_cast<const jinja::value_kwarg_t*>(checked.get()) != nullptr;
  if ((!is_container(*checked) && !is_keyword) || !seen.insert(checked.get()).second) return false;
  bool found = false;
  for_each_element(*checked,
                   [&](const value& element) { found = found || find_user_text(element, seen); });
  return found;
}

size_t add_saturated(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

Extent measure(const value& checked, size_t depth_max,
               std::unordered_map<const value_t*, Extent>& known) {
  if (checked == nullptr) return {};
  const bool is_keyword = dynamic_cast<const jinja::value_kwarg_t*>(checked.get()) != nullptr;
  if (!is_container(*checked) && !is_keyword) {
    return {.depth = 0, .bytes = checked->val_str.length() + 1};
  }
  // While a value is being walked through, it is known to be too deep: so is a circle.
  const auto [entry, is_new] =
      known.try_emplace(checked.get(), Extent{.depth = depth_max + 1, .bytes = SIZE_MAX});
  if (!is_new) return entry->second;
  Extent whole{.depth = 0, .bytes = 1};
  for_each_element(*checked, [&](const value& element) {
    if (whole.depth > depth_max) return;
    const Extent part = measure(element, depth_max, known);
    whole.depth = std::max(whole.depth, part.depth);
    whole.bytes = add_saturated(whole.bytes, part.bytes);
  });
  whole.depth = std::min(whole.depth, depth_max) + 1;
  known[checked.get()] = whole;
  return whole;
}

}  // namespace

jinja::value to_jinja(const nlohmann::ordered_json& json, TextSource source) {
  using Type = nlohmann::ordered_json::value_t;
  switch (json.type()) {
    case Type::boolean:
      return jinja::mk_val<jinja::value_bool>(json.get<bool>());
    case Type::number_integer:
    case Type::number_unsigned:
      return jinja::mk_val<jinja::value_int>(json.get<int64_t>());
    case Type::number_float:
      return jinja::mk_val<jinja::value_float>(json.get<double>());
    case Type::string: {
      auto text = jinja::mk_val<jinja::value_string>(json.get_ref<const std::string&>());
      if (source == TextSource::kUser) text->mark_input();
      return text;
    }
    case Type::array: {
      auto list = jinja::mk_val<jinja::value_array>();
      for (const auto& element : json) list->push_back(to_jinja(element, source));
      return list;
    }
    case Type::object: {
      auto object = jinja::mk_val<jinja::value_object>();
      for (const auto& [key, element] : json.items()) {
        object->insert(key, to_jinja(element, source));
      }
      return object;
    }
    default:
      return jinja::mk_val<jinja::value_none>();
  }
}

bool has_user_text(const jinja::value& checked) {
  std::unordered_set<const value_t*> seen;
  return find_user_text(checked, seen);
}

void mark_if_unmarked(jinja::value& text) {
  auto* string = jinja::cast_val<jinja::value_string>(text);
  if (string != nullptr && !is_marked(*string)) string->mark_input();
}

Extent extent_of(const jinja::value& checked, size_t depth_max) {
  std::unordered_map<const value_t*, Extent> known;
  return measure(checked, depth_max, known);
}

}  // namespace ovenbird
