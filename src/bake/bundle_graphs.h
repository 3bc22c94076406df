// The part of a bake that is the same for every source: step graphs and rotary tables.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bake/ir_writer.h"
#include "bake/rotary_ops.h"
#include "bake/step_graph.h"
#include "bake/stored_weights.h"
#include "bundle/bundle_writer.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct RotaryTable {
  RopeTables names;
  std::vector<double> frequencies;  // radians a position, [rotary_dim / 2]
  double factor = 1;                // of cosines and sines
  uint32_t positions = 0;
};

/// Appends both tables, of cosines and of sines, and notes where. Errors: kIo.
Status write_rotary_tables(const RotaryTable& table, BundleFile& file, StoredWeights& stored);

/// Makes one step graph.
using GraphMaker = std::function<Result<std::shared_ptr<ov::Model>>(const StepShape&)>;

struct GraphsJob {
  GraphMaker make;
  Target target = Target::kNpu;
};

/// Makes and writes every graph; fills in their inputs and outputs. Errors: the maker's; kIo;
/// kInvalidArgument (an NPU would refuse a static graph of a bundle for one).
Status write_graphs(const GraphsJob& job, IrWriter& ir, BundleWriter& writer,
                    std::vector<GraphInfo>& graphs);

std::string baked_by();  // for the manifest: this program and OpenVINO, with versions

}  // namespace ovenbird
