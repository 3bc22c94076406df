// Any bytes as a hub's listing, as an index of shards, and as the name of a model: what is accepted
// leads nowhere but into the repository.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "hub/file_choice.h"
#include "hub/hub_listing.h"
#include "hub/model_name.h"

namespace {

void check_inside(std::string_view path) {
  OVENBIRD_CHECK(!path.empty() && path.front() != '/' && path.back() != '/');
  OVENBIRD_CHECK(path != ".." && !path.starts_with("../") && !path.ends_with("/.."));
  OVENBIRD_CHECK(path.find("/../") == path.npos && path.find('\0') == path.npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto listing = ovenbird::parse_listing(text)) {
    for (const std::string& file : listing->files) check_inside(file);
    static_cast<void>(ovenbird::choose_files(listing->files, {"a/b", "", ""}));
  }
  if (const auto shards = ovenbird::shards_of(text, {"a.safetensors", "b.safetensors"})) {
    for (const std::string& shard : *shards) check_inside(shard);
  }
  if (const auto model = ovenbird::parse_model_name(text)) {
    check_inside(model->id);
    if (!model->revision.empty()) check_inside(model->revision);
    if (!model->file.empty()) check_inside(model->file);
  }
  return 0;
}
