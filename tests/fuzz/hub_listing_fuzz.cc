// Any bytes as a hub's listing, an index of shards and the name of a model, with NULs between them:
// what is accepted leads nowhere but into the repository.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "heap_bound.h"
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
  using namespace ovenbird;
  const HeapBound bound(size);
  std::string part[3];
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (size_t i = 0, first = 0; i < 3 && first <= text.size(); ++i) {
    const size_t end = std::min(text.find('\0', first), text.size());
    part[i] = text.substr(first, end - first);
    first = end + 1;
  }
  const auto& [listing_text, index, name] = part;
  const auto model = parse_model_name(name);
  if (model) {
    check_inside(model->id);
    if (!model->revision.empty()) check_inside(model->revision);
    if (!model->file.empty()) check_inside(model->file);
  }
  std::vector<std::string> files = {"a.safetensors", "b.safetensors"};
  if (const auto listing = parse_listing(listing_text)) {
    files = listing->files;
    for (const std::string& file : files) check_inside(file);
    static_cast<void>(choose_files(files, model ? *model : ModelName{"a/b", "", ""}));
  }
  if (const auto shards = shards_of(index, files)) {
    for (const std::string& shard : *shards) check_inside(shard);
  }
  return 0;
}
