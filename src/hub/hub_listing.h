// What a hub says of a revision: its commit and its files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

struct HubListing {
  std::string commit;              // is_commit()
  std::vector<std::string> files;  // each is_repository_path(); what they hold is not known
};

/// Reads the answer to /api/models/ID/revision/REVISION.
/// Errors: kCorrupt: it is none, or a name in it leads out of the repository; kUnsupported: more
/// than limits::kHubFilesMax files.
Result<HubListing> parse_listing(std::string_view text);

}  // namespace ovenbird
