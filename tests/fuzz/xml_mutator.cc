// Finds the values and elements by a look at brackets and quotes, which is enough for graphs.
#include "xml_mutator.h"

#include <string_view>
#include <vector>

namespace ovenbird {
namespace {

struct Range {
  size_t first = 0;
  size_t end = 0;
};

struct Places {
  std::vector<Range> values;    // of attributes, and texts between tags
  std::vector<Range> elements;  // with their tags
};

void note_values(std::string_view text, Range tag, Places& places) {
  size_t open = text.find('"', tag.first);
  while (open < tag.end) {
    const size_t close = text.find('"', open + 1);
    if (close >= tag.end) return;
    places.values.push_back({open + 1, close});
    open = text.find('"', close + 1);
  }
}

Places places_of(std::string_view text) {
  Places places;
  std::vector<size_t> open;  // where elements begin that have not ended
  size_t before = 0;         // where the last tag ended
  for (size_t first = text.find('<'); first != text.npos; first = text.find('<', before)) {
    const size_t end = text.find('>', first);
    if (end == text.npos) break;
    if (first > before && !open.empty()) places.values.push_back({before, first});
    before = end + 1;
    note_values(text, {first, end}, places);
    if (text[first + 1] == '?') continue;
    if (text[first + 1] != '/') open.push_back(first);
    if ((text[first + 1] == '/' || text[end - 1] == '/') && !open.empty()) {
      places.elements.push_back({open.back(), end + 1});
      open.pop_back();
    }
  }
  return places;
}

std::string cut_out(const std::string& text, Range place) {
  return text.substr(place.first, place.end - place.first);
}

std::string changed_value(const std::string& value, Chance& chance) {
  if (chance.one_in(3)) return mutated_bytes(value);
  const auto number = static_cast<int64_t>(chance.extreme_number());
  return std::to_string(chance.one_in(2) ? number : number % 16);
}

void change_one(std::string& text, Chance& chance) {
  Places places = places_of(text);
  if (places.values.empty() || places.elements.empty()) return;
  const Range value = chance.any_of(places.values);
  const Range element = chance.any_of(places.elements);
  const size_t value_bytes = value.end - value.first;
  switch (chance.below(6)) {
    case 0:
    case 1:
      text.replace(value.first, value_bytes, cut_out(text, chance.any_of(places.values)));
      return;
    case 2:
    case 3:
      text.replace(value.first, value_bytes, changed_value(cut_out(text, value), chance));
      return;
    case 4:
      text.erase(element.first, element.end - element.first);
      return;
    default:
      text.insert(chance.any_of(places.elements).end, cut_out(text, element));
  }
}

}  // namespace

std::string mutated_xml(std::string text, Chance& chance) {
  if (chance.one_in(16)) return mutated_bytes(std::move(text));
  do {
    change_one(text, chance);
  } while (chance.one_in(2));
  return text;
}

size_t mutate_xml(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  Chance chance(seed);
  std::string text(reinterpret_cast<const char*>(data), size);
  return hand_over(mutated_xml(std::move(text), chance), data, size_max);
}

}  // namespace ovenbird
