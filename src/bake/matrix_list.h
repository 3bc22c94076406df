// Some matrices of some layers, as a user lists them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Parts are those of layer_groups.h.
class MatrixList {
 public:
  /// Items between commas: layers "0" or "26-29", a part "down", or parts of layers "0-3.down".
  /// Errors: kInvalidArgument, what is wrong with which item.
  static Result<MatrixList> parse(std::string_view text);

  void add(uint32_t layer, std::string_view part);

  bool contains(uint32_t layer, std::string_view part) const;
  bool empty() const { return items_.empty(); }
  /// The largest layer that is named; none if no layer is.
  std::optional<uint32_t> last_layer() const;

 private:
  struct Item {
    uint32_t first = 0, last = 0;
    bool every_layer = false;
    std::string part;  // "": all
  };
  static std::optional<Item> parse_item(std::string_view text);

  std::vector<Item> items_;
};

}  // namespace ovenbird
