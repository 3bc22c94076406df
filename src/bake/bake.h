// Stage 2, bake. In: a checkpoint. Out: a bundle, whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bake/options.h"
#include "bake/planned_graphs.h"
#include "bake/small_files.h"
#include "bake/source_weights.h"
#include "bake/weights_writer.h"
#include "bundle/manifest.h"
#include "checkpoint/checkpoint.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct BakeJob {
  const Checkpoint& checkpoint;
  BakeOptions options;
  std::filesystem::path target;
  bool replace = false;  // an existing bundle at `target`
  std::vector<ExtraFile> extra_files;
  BakeProgress progress;  // may be empty
  /// Token ids of a text to calibrate int4 layers with, in windows of equal length; may be empty.
  std::vector<std::vector<int32_t>> calibration;
};

/// Writes weights, step graphs, config files and manifest. A static graph that the NPU of some
/// platform would refuse is never written for the target npu.
/// Errors: kInvalidArgument (options, target, an NPU would refuse), kCorrupt (weights), kIo,
/// kInterrupted; nothing is then left at `target` that was not there before.
Result<Manifest> bake(const BakeJob& job);

}  // namespace ovenbird
