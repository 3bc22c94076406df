// A bundle of nothing but facts, for supervisors over fake workers, which look at none of it.
#pragma once

#include <filesystem>

#include "bundle/bundle_writer.h"

namespace ovenbird {

inline constexpr uint32_t kFakeVocabulary = 1000;

/// `rows`: the context, and the rows of a slot. Errors: those of BundleWriter.
inline Status write_fake_bundle(const std::filesystem::path& path, uint32_t rows) {
  Manifest manifest;
  manifest.baked_by = "a test";
  manifest.target = Target::kCpu;
  manifest.model = {.architecture = "llama",
                    .layers = 2,
                    .hidden = 16,
                    .heads = 2,
                    .kv_heads = 2,
                    .head_dim = 8,
                    .vocabulary = kFakeVocabulary,
                    .context = rows,
                    .rope_frequencies = {1.0, 0.5, 0.25, 0.125},
                    .bos_ids = {1},
                    .eos_ids = {2}};
  manifest.graphs = {{.file = "openvino_model.xml", .plan = "window", .width = 64},
                     {.file = "step_w8.xml", .plan = "cached", .width = 8, .past = rows}};
  Result<BundleWriter> writer = BundleWriter::create(path, false);
  if (!writer) return Failure{writer.error()};
  Status added = writer->add_whole(kWeightsName, "weights");
  for (const GraphInfo& graph : manifest.graphs) {
    if (added) added = writer->add_whole(graph.file, "<net/>");
  }
  return added ? writer->commit(manifest) : added;
}

}  // namespace ovenbird
