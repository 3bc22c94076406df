// Editing config.json without disturbing the rest of it.
#include "bundle/config_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/limits.h"

namespace ovenbird {
namespace {

/// Keys of the largest object in a document.
size_t keys_of_largest(const nlohmann::json& json) {
  size_t keys = json.is_object() ? json.size() : 0;
  for (const nlohmann::json& part : json) {
    if (part.is_structured()) keys = std::max(keys, keys_of_largest(part));
  }
  return keys;
}

}  // namespace

Result<std::string> config_without_cache(std::string_view source) {
  // Checked by the strict parser first; the ordered one then keeps the keys where they were.
  const Result<nlohmann::json> checked = parse_json(source);
  if (!checked) return fail_in("config.json", checked.error());
  if (!checked->is_object()) return fail(Code::kCorrupt, "config.json: not a JSON object");
  if (keys_of_largest(*checked) >
      limits::kConfigKeysMax) {  // the ordered parser takes their square
    return fail(Code::kCorrupt, "config.json: an object of more than " +
                                    std::to_string(limits::kConfigKeysMax) + " keys");
  }
  if (source.starts_with("\xEF\xBB\xBF")) source.remove_prefix(3);
  nlohmann::ordered_json config = nlohmann::ordered_json::parse(source, nullptr, false);
  config["use_cache"] = false;
  return config.dump(2) + "\n";
}

}  // namespace ovenbird
