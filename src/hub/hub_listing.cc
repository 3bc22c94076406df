// A listing, not believed.
#include "hub/hub_listing.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/limits.h"
#include "base/message_text.h"
#include "hub/model_name.h"

namespace ovenbird {
namespace {

using nlohmann::json;

/// The text of a member; "" if there is none.
std::string text_of(const json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

}  // namespace

Result<HubListing> parse_listing(std::string_view text) {
  const auto parsed = parse_json(text, {.bytes_max = limits::kHubListingBytesMax});
  if (!parsed) return Failure{parsed.error()};
  HubListing listing{.commit = text_of(*parsed, "sha"), .files = {}};
  if (!is_commit(listing.commit)) return fail(Code::kCorrupt, "its listing has no commit");
  const auto siblings = parsed->find("siblings");
  if (siblings == parsed->end() || !siblings->is_array()) {
    return fail(Code::kCorrupt, "its listing has no files");
  }
  if (siblings->size() > limits::kHubFilesMax) {
    return fail(Code::kUnsupported,
                "the repository has " + std::to_string(siblings->size()) +
                    " files; accepted: " + std::to_string(limits::kHubFilesMax));
  }
  for (const json& sibling : *siblings) {
    const std::string name = text_of(sibling, "rfilename");
    if (!is_repository_path(name)) {
      return fail(Code::kCorrupt, "it lists a file named " + in_quotes(name) +
                                      ", which is no path inside a repository");
    }
    listing.files.push_back(name);
  }
  return listing;
}

}  // namespace ovenbird
