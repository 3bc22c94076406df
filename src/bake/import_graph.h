// An exported decoder as step graphs: what it computes between its inputs and its attention stays;
// masks, attention, cache, rotary tables and ports are those of this project.
#pragma once

#include <memory>
#include <openvino/core/model.hpp>
#include <span>
#include <string_view>

#include "bake/import_attention.h"
#include "bake/import_check.h"
#include "bake/import_rotation.h"
#include "bake/step_graph.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// A decoder that was read, and found to be one that step graphs can be made of.
struct ImportedModel {
  std::shared_ptr<ov::Model> model;  // without state, shapes open; constants lie in the weights
  ImportedAttentions attentions;
  ImportedRotation rotation;
  uint32_t vocabulary = 0;
};

/// Reads an IR whose form is checked (import_check.h) over its weights file, which must outlive the
/// model. Errors: kCorrupt (OpenVINO cannot read it), kUnsupported (another kind of model).
Result<ImportedModel> read_imported_model(std::string_view xml, std::span<const std::byte> weights,
                                          CacheForm form);

/// Whether its masks and its rotation are those that step graphs have, up to `context` tokens.
/// Fills in the rotation. Errors: kUnsupported.
Status check_imported_model(ImportedModel& imported, uint32_t context);

/// The rotary tables f32 [positions, head_dim / 2], over memory that outlives the graphs.
struct RotaryTables {
  ov::Tensor cos;
  ov::Tensor sin;
};

/// A step graph with the ports that step_graph.h documents. Errors: kUnsupported: the export leaves
/// something that depends on inputs which step graphs have not.
Result<std::shared_ptr<ov::Model>> import_step_graph(const ImportedModel& imported,
                                                     const RotaryTables& tables,
                                                     const StepShape& shape, CacheType cache);

}  // namespace ovenbird
