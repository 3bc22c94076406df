// Picks one value of the document and one kind of change.
#include "json_mutator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

constexpr size_t kListMax = 1 << 12;  // entries that a list is stretched to

void collect(Json& value, std::vector<Json*>& all) {
  all.push_back(&value);
  if (!value.is_structured()) return;
  for (Json& inner : value) collect(inner, all);
}

std::vector<Json*> values_of(Json& document) {
  std::vector<Json*> all;
  collect(document, all);
  return all;
}

Json simple_value(Chance& chance) {
  switch (chance.below(8)) {
    case 0:
      return nullptr;
    case 1:
      return chance.one_in(2);
    case 2:
      return chance.extreme_number();
    case 3:
      return static_cast<int64_t>(chance.extreme_number());
    case 4:
      return std::ldexp(1.0, static_cast<int>(chance.below(2100)) - 1070);
    case 5:
      return mutated_bytes("");
    case 6:
      return Json::array();
    default:
      return Json::object();
  }
}

void change_simple(Json& value, Chance& chance) {
  if (value.is_string()) {
    value = mutated_bytes(value.get<std::string>());
  } else if (value.is_number_integer()) {
    const auto number = value.get<uint64_t>();
    const uint64_t near[] = {number + 1, number - 1, number * 2, number / 2, 0 - number};
    value = near[chance.below(std::size(near))];
  } else if (value.is_number_float()) {
    const double factors[] = {0.5, 2, -1, 0, 1e30, 1e-30};
    value = value.get<double>() * factors[chance.below(std::size(factors))];
  } else {
    value = simple_value(chance);
  }
}

Json::iterator any_member(Json& value, Chance& chance) {
  return std::next(value.begin(), static_cast<std::ptrdiff_t>(chance.below(value.size())));
}

/// Puts a value into a list or an object; `other_key` may be there already.
void insert(Json& value, Json added, std::string other_key, Chance& chance) {
  if (value.is_array()) {
    const bool stretches = !added.is_structured() && chance.one_in(8);
    const size_t times = stretches ? chance.below(kListMax) : 1;
    value.insert(value.begin() + static_cast<std::ptrdiff_t>(chance.below(value.size() + 1)), times,
                 added);
  } else {
    value[chance.one_in(2) ? std::move(other_key) : mutated_bytes(std::move(other_key))] =
        std::move(added);
  }
}

void change_structure(Json& value, Json other, std::string other_key, Chance& chance) {
  if (value.empty() || chance.one_in(3)) {
    insert(value, std::move(other), std::move(other_key), chance);
  } else if (value.is_object() && chance.one_in(2)) {  // a key is renamed
    const auto member = any_member(value, chance);
    Json moved = std::move(*member);
    value.erase(member);
    insert(value, std::move(moved), std::move(other_key), chance);
  } else {
    value.erase(any_member(value, chance));
  }
}

std::string any_key(const std::vector<Json*>& all, Chance& chance) {
  Json& object = *all[chance.below(all.size())];
  if (!object.is_object() || object.empty()) return mutated_bytes("key");
  return any_member(object, chance).key();
}

void mutate(Json& document, Chance& chance) {
  do {
    std::vector<Json*> all = values_of(document);
    Json& value = *chance.any_of(all);
    Json other = *chance.any_of(all);
    if (chance.one_in(8)) {
      value = std::move(other);
    } else if (chance.one_in(8)) {
      value = simple_value(chance);
    } else if (value.is_structured()) {
      change_structure(value, std::move(other), any_key(all, chance), chance);
    } else {
      change_simple(value, chance);
    }
  } while (chance.one_in(3));
}

}  // namespace

std::string mutated_json(const std::string& text, Chance& chance) {
  Result<Json> document = parse_json(text);
  if (!document || chance.one_in(8)) return mutated_bytes(text);
  mutate(*document, chance);
  return document->dump(-1, ' ', false, Json::error_handler_t::ignore);
}

size_t mutate_documents(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  Chance chance(seed);
  std::string text(reinterpret_cast<const char*>(data), size);
  const auto documents = std::count(text.begin(), text.end(), '\0') + 1;
  size_t first = 0;
  for (size_t skipped = chance.below(static_cast<size_t>(documents)); skipped > 0; --skipped) {
    first = text.find('\0', first) + 1;
  }
  const size_t length = std::min(text.find('\0', first), text.size()) - first;
  text.replace(first, length, mutated_json(text.substr(first, length), chance));
  return hand_over(text, data, size_max);
}

}  // namespace ovenbird
