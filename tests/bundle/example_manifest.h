// A small manifest with every part in it, as a bake would write it.
#pragma once

#include "bundle/manifest.h"

namespace ovenbird {

/// Two layers; a window graph, a cached one and a dynamic one. No files.
inline Manifest example_manifest() {
  Manifest manifest;
  manifest.baked_by = "ovenbird 0.0.0, OpenVINO 0";
  manifest.target = Target::kCpu;
  manifest.cache_type = CacheType::kF32;
  manifest.model = {.architecture = "llama",
                    .description = "an example, \"quoted\" \xC3\xA9",
                    .layers = 2,
                    .hidden = 8,
                    .heads = 2,
                    .kv_heads = 1,
                    .head_dim = 4,
                    .vocabulary = 16,
                    .context = 64,
                    .rope_frequencies = {1.0, 0.0177827941003892},
                    .local_rope_frequencies = {1.0, 0.01},
                    .layer_ropes = {LayerRope::kLocal, LayerRope::kNone},
                    .bos_ids = {1},
                    .eos_ids = {2, 15}};
  manifest.graphs = {{.file = "openvino_model.xml", .plan = "window", .width = 32},
                     {.file = "step_w8.xml",
                      .plan = "cached",
                      .width = 8,
                      .past = 64,
                      .logit_rows = 1,
                      .inputs = {{.name = "input_ids", .type = "i64", .shape = {1, 8}}},
                      .outputs = {{.name = "logits", .type = "f32", .shape = {1, 1, 16}}}},
                     {.file = "dynamic.xml",
                      .plan = "dynamic",
                      .open_width = true,
                      .open_past = true,
                      .inputs = {{.name = "input_ids", .type = "i64", .shape = {1, -1}}}}};
  manifest.weights = {
      {.role = "layers",
       .type = "u4",
       .group_size = 32,
       .symmetric = false,
       .tensors = 14,
       .parameters = 1024,
       .bytes = 600},
      {.role = "norms", .type = "f32", .tensors = 5, .parameters = 40, .bytes = 160}};
  return manifest;
}

}  // namespace ovenbird
