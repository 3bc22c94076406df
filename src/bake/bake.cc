// The order of a bake: weights, rotary tables, graphs, small files, manifest, rename.
#include "bake/bake.h"

#include <algorithm>
#include <openvino/core/except.hpp>
#include <optional>

#include "bake/bundle_graphs.h"
#include "bake/calibrator.h"
#include "bake/ir_writer.h"
#include "bake/rotary_ops.h"
#include "bake/sensitivity.h"
#include "bake/step_graph.h"
#include "base/mapped_file.h"
#include "checkpoint/family.h"

namespace ovenbird {
namespace {

constexpr size_t kSensitivityWindows = 4;  // of a text: a choice needs less than a rounding

Status write_ropes(const ModelConfig& config, uint32_t positions, BundleFile& file,
                   StoredWeights& stored) {
  for (const LayerRope kind : {LayerRope::kGlobal, LayerRope::kLocal}) {
    if (!config.has_layer_with(kind)) continue;
    const Rope& rope = kind == LayerRope::kLocal ? config.local_rope : config.rope;
    const RotaryTable table{.names = rope_tables(kind),
                            .frequencies = rope_frequencies(rope, config.rotary_dim),
                            .factor = rope.attention_factor,
                            .positions = positions};
    if (Status done = write_rotary_tables(table, file, stored); !done) return done;
  }
  return ok();
}

/// Builds and writes every graph; fills in their inputs and outputs.
Status write_step_graphs(const BakeJob& job, const ModelConfig& config, const StoredWeights& stored,
                         BundleFile& weights, BundleWriter& writer,
                         std::vector<GraphInfo>& graphs) {
  if (Status flushed = weights.flush(); !flushed) return flushed;
  const Result<MappedFile> mapped = MappedFile::open(weights.path());
  if (!mapped) return Failure{mapped.error()};
  const GraphSource source{.config = config,
                           .stored = stored,
                           .weights = mapped->bytes(),
                           .cache_type = job.options.cache};
  IrWriter ir(weights);
  ir.place(stored, mapped->bytes());
  const GraphMaker make = [&](const StepShape& shape) -> Result<std::shared_ptr<ov::Model>> {
    if (job.progress && !job.progress(source_bytes(job.checkpoint))) {
      return interrupted();
    }
    return build_step_graph(source, shape);
  };
  return write_graphs({.make = make, .target = job.options.target}, ir, writer, graphs);
}

ModelFacts facts_of(const ModelConfig& config, const std::string& description) {
  ModelFacts facts{.architecture = name_of(config.architecture),
                   .description = description,
                   .layers = config.layers,
                   .hidden = config.hidden,
                   .heads = config.heads,
                   .kv_heads = config.kv_heads,
                   .head_dim = config.head_dim,
                   .vocabulary = config.vocabulary,
                   .context = config.context,
                   .rope_frequencies = rope_frequencies(config.rope, config.rotary_dim),
                   .bos_ids = config.bos_ids,
                   .eos_ids = config.eos_ids};
  const bool has_local = config.has_layer_with(LayerRope::kLocal);
  if (!has_local && !config.has_layer_with(LayerRope::kNone)) return facts;
  for (const LayerFacts& layer : config.layer_facts) facts.layer_ropes.push_back(layer.rope);
  if (has_local) {
    facts.local_rope_frequencies = rope_frequencies(config.local_rope, config.rotary_dim);
  }
  return facts;
}

/// The configuration as this bundle has it: with the rope for conversations of up to `past` tokens,
/// and no context beyond what that rope is for.
ModelConfig config_for(ModelConfig config, uint32_t past) {
  config.rope = rope_for_context(config.rope, past);
  const bool is_short =
      config.rope.scaling == RopeScaling::kLongRope && past <= config.rope.original_context;
  if (is_short) config.context = std::min(config.context, config.rope.original_context);
  return config;
}

/// The options with what --int4-ratio comes to.
Result<BakeOptions> with_ratio(const BakeJob& job, const ModelConfig& config) {
  BakeOptions options = job.options;
  if (options.int4_ratio == 1.0) return options;
  const auto go_on = [&](uint64_t bytes) { return !job.progress || job.progress(bytes); };
  const bool has_text = !job.calibration.empty();
  std::vector<std::vector<int32_t>> windows =
      has_text ? job.calibration : random_windows(config.vocabulary);
  windows.resize(std::min(windows.size(), kSensitivityWindows));
  Result<std::vector<GroupLoss>> losses =
      group_losses(job.checkpoint, config, options, windows, go_on);
  if (!losses) return Failure{losses.error()};
  MatrixList& wide = options.target == Target::kNpu ? options.f16_layers : options.int8_layers;
  wide = widest(std::move(*losses), options.int4_ratio, std::move(wide));
  return options;
}

Result<Manifest> write_bundle(const BakeJob& job) {
  Result<BundleWriter> writer = BundleWriter::create(job.target, job.replace);
  if (!writer) return Failure{writer.error()};
  Result<BundleFile> weights = writer->add(kWeightsName);
  if (!weights) return Failure{weights.error()};

  const uint32_t past = std::min(job.options.context, job.checkpoint.config().context);
  const ModelConfig config = config_for(job.checkpoint.config(), past);
  const Result<BakeOptions> options = with_ratio(job, config);
  if (!options) return Failure{options.error()};
  FileSink sink(*weights);
  WeightsWriter weights_writer(job.checkpoint, *options, sink, job.progress);
  std::optional<Calibrator> calibrator;
  if (!job.calibration.empty()) {
    calibrator.emplace(job.checkpoint, config, *options, job.calibration);
    weights_writer.use([&](uint32_t layer, WeightsWriter& layers) {
      return calibrator->write_layer(layer, layers);
    });
  }
  Result<StoredWeights> stored = weights_writer.write();
  if (!stored) return Failure{stored.error()};
  if (Status done = write_ropes(config, positions_of(past), *weights, *stored); !done) {
    return Failure{done.error()};
  }
  Manifest manifest{.baked_by = baked_by(),
                    .target = job.options.target,
                    .cache_type = job.options.cache,
                    .model = facts_of(config, job.checkpoint.description()),
                    .graphs = planned_graphs(past),
                    .weights = weights_writer.summary()};
  if (Status done = write_step_graphs(job, config, *stored, *weights, *writer, manifest.graphs);
      !done) {
    return Failure{done.error()};
  }
  if (Status closed = writer->close(std::move(*weights)); !closed) return Failure{closed.error()};
  const SmallFiles small{.config = job.checkpoint.config_json(),
                         .generation_config = job.checkpoint.generation_config_json(),
                         .extra = job.extra_files};
  if (Status done = write_small_files(small, *writer); !done) return Failure{done.error()};
  if (Status done = writer->commit(manifest); !done) return Failure{done.error()};
  return manifest;
}

}  // namespace

Result<Manifest> bake(const BakeJob& job) {
  if (Status valid = validate(job.options); !valid) return Failure{valid.error()};
  const uint32_t layers = job.checkpoint.config().layers;
  if (Status valid = validate_layers(job.options, layers); !valid) return Failure{valid.error()};
  try {
    return write_bundle(job);
  } catch (const ov::Exception& thrown) {
    return fail(Code::kInternal, std::string("bake: OpenVINO: ") + thrown.what());
  }
}

}  // namespace ovenbird
