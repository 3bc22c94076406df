// The weights of an export: copied byte for byte, and described for the manifest.
#pragma once

#include <functional>
#include <vector>

#include "bake/import_graph.h"
#include "bake/ir_writer.h"
#include "bake/weights_writer.h"
#include "base/mapped_file.h"
#include "bundle/bundle_writer.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Appends the constants of the model that lie in `source`, in the order in which they lie there,
/// each at a multiple of 64 bytes, and tells `ir` where. Memory stays small: pages are let go once
/// they are copied. Errors: kIo, kInterrupted.
Status copy_weights(const ImportedModel& imported, const MappedFile& source, BundleFile& file,
                    IrWriter& ir, const BakeProgress& progress);

/// All weights by role and form, as the graph shows them: what a Gather reads is the embedding,
/// what the logits are multiplied by the head, other matrices are layers, the rest norms.
std::vector<WeightsInfo> summarize_weights(const ImportedModel& imported);

}  // namespace ovenbird
