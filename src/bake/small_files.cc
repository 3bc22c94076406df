// Each as the source has it, but for config.json: a bundle is a model without a cache of its own.
#include "bake/small_files.h"

#include "bundle/config_json.h"

namespace ovenbird {

Status write_small_files(const SmallFiles& files, BundleWriter& writer) {
  const Result<std::string> config = config_without_cache(files.config);
  if (!config) return Failure{config.error()};
  if (Status added = writer.add_whole("config.json", *config); !added) return added;
  if (!files.generation_config.empty()) {
    const Status added = writer.add_whole("generation_config.json", files.generation_config);
    if (!added) return added;
  }
  for (const ExtraFile& file : files.extra) {
    if (Status added = writer.add_whole(file.name, file.content); !added) return added;
  }
  return ok();
}

}  // namespace ovenbird
