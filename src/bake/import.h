// Bakes what optimum-intel exported: its graph becomes step graphs, its weights stay as they are.
#pragma once

#include <filesystem>
#include <vector>

#include "bake/options.h"
#include "bake/small_files.h"
#include "bake/weights_writer.h"
#include "bundle/manifest.h"
#include "checkpoint/openvino_export.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct ImportJob {
  const OpenvinoExport& source;
  Target for_target = Target::kNpu;
  CacheType cache = CacheType::kF16;
  uint32_t context = 2048;  // P of the cached graphs; at most what the model was trained on
  std::filesystem::path target;
  bool replace = false;  // an existing bundle at `target`
  std::vector<ExtraFile> extra_files;
  BakeProgress progress;  // told bytes of the source's weights; may be empty
};

/// As bake(), for an export. Errors: kCorrupt (graph or weights are damaged), kUnsupported (a model
/// that is no plain decoder, or attends or rotates otherwise, by name), kInvalidArgument (an NPU
/// would refuse it, the target), kIo, kInterrupted; nothing is then left at `target` that was not
/// there before.
Result<Manifest> bake_export(const ImportJob& job);

}  // namespace ovenbird
