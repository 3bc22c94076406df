// Editing config.json without disturbing the rest of it.
#include "bundle/config_json.h"

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace ovenbird {

Result<std::string> config_without_cache(std::string_view source) {
  // Checked by the strict parser first; the ordered one then keeps the keys where they were.
  const Result<nlohmann::json> checked = parse_json(source);
  if (!checked) return fail_in("config.json", checked.error());
  if (!checked->is_object()) return fail(Code::kCorrupt, "config.json: not a JSON object");
  if (source.starts_with("\xEF\xBB\xBF")) source.remove_prefix(3);
  nlohmann::ordered_json config = nlohmann::ordered_json::parse(source, nullptr, false);
  config["use_cache"] = false;
  return config.dump(2) + "\n";
}

}  // namespace ovenbird
