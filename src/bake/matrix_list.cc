// The grammar of such a list.
#include "bake/matrix_list.h"

#include <algorithm>
#include <charconv>

#include "bake/layer_groups.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

bool is_part(std::string_view text) {
  return std::any_of(kLayerGroups.begin(), kLayerGroups.end(),
                     [&](const LayerGroup& group) { return text == group.part; });
}

std::optional<uint32_t> parse_layer(std::string_view text) {
  uint32_t layer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), layer);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return layer;
}

}  // namespace

std::optional<MatrixList::Item> MatrixList::parse_item(std::string_view text) {
  if (is_part(text)) return Item{.every_layer = true, .part = std::string(text)};
  const size_t dot = text.find('.');
  const std::string_view layers = text.substr(0, dot);
  const std::string_view part = dot == text.npos ? "" : text.substr(dot + 1);
  const size_t dash = layers.find('-');
  const auto first = parse_layer(layers.substr(0, dash));
  const auto last = dash == text.npos ? first : parse_layer(layers.substr(dash + 1));
  const bool fits = first && last && *first <= *last && (dot == text.npos || is_part(part));
  if (!fits) return std::nullopt;
  return Item{.first = *first, .last = *last, .part = std::string(part)};
}

Result<MatrixList> MatrixList::parse(std::string_view text) {
  MatrixList list;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = text.substr(begin, end - begin);
    const std::optional<Item> parsed = parse_item(item);
    if (!parsed) {
      return fail(Code::kInvalidArgument,
                  "\"" + one_line(std::string(item)) +
                      "\" names no matrices; write layers (0,26-29), parts (down; of qkv, output, "
                      "gate_up, down) or both (0-3.down)");
    }
    list.items_.push_back(*parsed);
    begin = end + 1;
  }
  return list;
}

void MatrixList::add(uint32_t layer, std::string_view part) {
  items_.push_back({.first = layer, .last = layer, .part = std::string(part)});
}

bool MatrixList::contains(uint32_t layer, std::string_view part) const {
  return std::any_of(items_.begin(), items_.end(), [&](const Item& item) {
    const bool is_layer = item.every_layer || (item.first <= layer && layer <= item.last);
    return is_layer && (item.part.empty() || item.part == part);
  });
}

std::optional<uint32_t> MatrixList::last_layer() const {
  std::optional<uint32_t> last;
  for (const Item& item : items_) {
    if (!item.every_layer) last = std::max(last.value_or(0), item.last);
  }
  return last;
}

}  // namespace ovenbird
