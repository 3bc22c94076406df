// What a bundle holds besides graphs and weights.
#pragma once

#include <string>
#include <vector>

#include "bundle/bundle_writer.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// A file that goes into the bundle as it is (the tokenizer, the chat template).
struct ExtraFile {
  std::string name;
  std::string content;
};

struct SmallFiles {
  std::string config;             // the source's config.json
  std::string generation_config;  // empty = none
  const std::vector<ExtraFile>& extra;
};

/// Errors: kCorrupt (config.json), kIo.
Status write_small_files(const SmallFiles& files, BundleWriter& writer);

}  // namespace ovenbird
