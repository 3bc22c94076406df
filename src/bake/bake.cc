// The order of a bake: weights, rotary tables, graphs, small files, manifest, rename.
#include "bake/bake.h"

#include <algorithm>
#include <cmath>
#include <openvino/core/except.hpp>
#include <openvino/core/version.hpp>

#include "bake/ir_writer.h"
#include "bake/npu_check.h"
#include "bake/rotary_ops.h"
#include "bake/step_graph.h"
#include "base/mapped_file.h"
#include "bundle/config_json.h"
#include "checkpoint/family.h"

namespace ovenbird {
namespace {

constexpr uint32_t kWindowWidth = 128;  // the plain fixed window
constexpr uint32_t kChunkWidth = 128;   // prefill: wide enough that weights are read rarely
constexpr uint32_t kDraftWidth = 8;     // verifying drafts: what an NPU does nearly for free
// A static graph reads all P rows of the cache, empty or not. Conversations begin short, so a
// second set of graphs over fewer rows lets their first tokens cost less.
constexpr uint32_t kShortPast = 512;

StepShape shape_of(const GraphInfo& graph) {
  return {.width = graph.width,
          .open_width = graph.open_width,
          .past = graph.past,
          .open_past = graph.open_past,
          .logit_rows = graph.logit_rows};
}

std::vector<Port> ports_of(const ov::OutputVector& values) {
  std::vector<Port> ports;
  for (const ov::Output<ov::Node>& value : values) {
    Port port{.name = value.get_any_name(), .type = value.get_element_type().get_type_name()};
    for (const ov::Dimension& dimension : value.get_partial_shape()) {
      port.shape.push_back(dimension.is_static() ? dimension.get_length() : -1);
    }
    ports.push_back(std::move(port));
  }
  return ports;
}

/// Appends one table of [positions, rotary_dim / 2] row by row: contexts may be long.
template <typename Function>
Status write_rotary_table(const char* name, const Function& function,
                          const std::vector<double>& frequencies, uint32_t positions,
                          BundleFile& file, StoredWeights& stored) {
  if (Status aligned = file.align(64); !aligned) return aligned;
  std::vector<float> row(frequencies.size());
  stored.blobs[name] = {.type = StoredType::kF32,
                        .shape = {positions, row.size()},
                        .offset = file.bytes(),
                        .bytes = uint64_t{positions} * row.size() * sizeof(float)};
  for (uint32_t position = 0; position < positions; ++position) {
    for (size_t pair = 0; pair < row.size(); ++pair) {
      row[pair] = static_cast<float>(function(position * frequencies[pair]));
    }
    if (Status done = file.append(std::as_bytes(std::span(row))); !done) return done;
  }
  return ok();
}

Status write_rotary_tables(const ModelConfig& config, uint32_t positions, BundleFile& file,
                           StoredWeights& stored) {
  for (const LayerRope kind : {LayerRope::kGlobal, LayerRope::kLocal}) {
    if (!config.has_layer_with(kind)) continue;
    const Rope& rope = kind == LayerRope::kLocal ? config.local_rope : config.rope;
    const std::vector<double> frequencies = rope_frequencies(rope, config.rotary_dim);
    const double factor = rope.attention_factor;
    const auto cos = [=](double angle) { return factor * std::cos(angle); };
    const auto sin = [=](double angle) { return factor * std::sin(angle); };
    const RopeTables names = rope_tables(kind);
    const Status done = write_rotary_table(names.cos, cos, frequencies, positions, file, stored);
    if (!done) return done;
    const Status last = write_rotary_table(names.sin, sin, frequencies, positions, file, stored);
    if (!last) return last;
  }
  return ok();
}

/// Builds and writes every graph; fills in their inputs and outputs.
Status write_graphs(const BakeJob& job, const ModelConfig& config, const StoredWeights& stored,
                    BundleFile& weights, BundleWriter& writer, std::vector<GraphInfo>& graphs) {
  if (Status flushed = weights.flush(); !flushed) return flushed;
  const Result<MappedFile> mapped = MappedFile::open(weights.path());
  if (!mapped) return Failure{mapped.error()};
  const GraphSource source{.config = config,
                           .stored = stored,
                           .weights = mapped->bytes(),
                           .cache_type = job.options.cache};
  IrWriter ir(stored, weights);
  for (GraphInfo& graph : graphs) {
    if (job.progress && !job.progress(source_bytes(job.checkpoint))) {
      return fail(Code::kInterrupted, "bake: interrupted; nothing was written");
    }
    const std::shared_ptr<ov::Model> model = build_step_graph(source, shape_of(graph));
    graph.inputs = ports_of(model->inputs());
    graph.outputs = ports_of(model->outputs());
    const Result<std::string> text = ir.write(model);
    if (!text) return Failure{text.error()};
    if (job.options.target == Target::kNpu && graph.is_static()) {
      if (Status taken = check_for_npu(graph.file, *text); !taken) return taken;
    }
    if (Status added = writer.add_whole(graph.file, *text); !added) return added;
  }
  return ok();
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

Status write_small_files(const BakeJob& job, BundleWriter& writer) {
  const Result<std::string> config = config_without_cache(job.checkpoint.config_json());
  if (!config) return Failure{config.error()};
  if (Status added = writer.add_whole("config.json", *config); !added) return added;
  const std::string generation = job.checkpoint.generation_config_json();
  if (!generation.empty()) {
    if (Status added = writer.add_whole("generation_config.json", generation); !added) return added;
  }
  for (const ExtraFile& file : job.extra_files) {
    if (Status added = writer.add_whole(file.name, file.content); !added) return added;
  }
  return ok();
}

Result<Manifest> write_bundle(const BakeJob& job) {
  Result<BundleWriter> writer = BundleWriter::create(job.target, job.replace);
  if (!writer) return Failure{writer.error()};
  Result<BundleFile> weights = writer->add(kWeightsName);
  if (!weights) return Failure{weights.error()};

  WeightsWriter weights_writer(job.checkpoint, job.options, *weights, job.progress);
  Result<StoredWeights> stored = weights_writer.write();
  if (!stored) return Failure{stored.error()};
  const uint32_t past = std::min(job.options.context, job.checkpoint.config().context);
  const ModelConfig config = config_for(job.checkpoint.config(), past);
  const uint32_t positions = std::max(past + kChunkWidth, kWindowWidth);
  if (Status done = write_rotary_tables(config, positions, *weights, *stored); !done) {
    return Failure{done.error()};
  }
  Manifest manifest{.baked_by = std::string("ovenbird " OVENBIRD_VERSION ", OpenVINO ") +
                                ov::get_openvino_version().buildNumber,
                    .target = job.options.target,
                    .cache_type = job.options.cache,
                    .model = facts_of(config, job.checkpoint.description()),
                    .graphs = planned_graphs(past),
                    .weights = weights_writer.summary()};
  if (Status done = write_graphs(job, config, *stored, *weights, *writer, manifest.graphs); !done) {
    return Failure{done.error()};
  }
  if (Status closed = writer->close(std::move(*weights)); !closed) return Failure{closed.error()};
  if (Status done = write_small_files(job, *writer); !done) return Failure{done.error()};
  if (Status done = writer->commit(manifest); !done) return Failure{done.error()};
  return manifest;
}

}  // namespace

std::vector<GraphInfo> planned_graphs(uint32_t past) {
  std::vector<GraphInfo> graphs = {
      {.file = kWindowGraphName, .plan = "window", .width = kWindowWidth},
      {.file = "dynamic.xml", .plan = "dynamic", .open_width = true, .open_past = true},
      // For devices that take it: prefill that reads only the rows there are.
      {.file = "step_w128_open.xml",
       .plan = "cached",
       .width = kChunkWidth,
       .past = past,
       .open_past = true,
       .logit_rows = 1},
      // One graph for everything: prefill, decode, and drafts of up to 8 verified.
      {.file = "step_open.xml",
       .plan = "cached",
       .width = kChunkWidth,
       .open_width = true,
       .past = past,
       .open_past = true,
       .logit_rows = kDraftWidth}};
  std::vector<uint32_t> pasts = {past};
  if (past > kShortPast) pasts.insert(pasts.begin(), kShortPast);
  for (const uint32_t rows : pasts) {
    const std::string suffix = "_p" + std::to_string(rows) + ".xml";
    graphs.push_back({.file = "step_w1" + suffix, .plan = "cached", .width = 1, .past = rows});
    graphs.push_back(
        {.file = "step_w8" + suffix, .plan = "cached", .width = kDraftWidth, .past = rows});
    // Prefill wants the newest row's logits only: the others' cost a fifth of the step.
    graphs.push_back({.file = "step_w128" + suffix,
                      .plan = "cached",
                      .width = kChunkWidth,
                      .past = rows,
                      .logit_rows = 1});
  }
  return graphs;
}

Result<Manifest> bake(const BakeJob& job) {
  if (Status valid = validate(job.options); !valid) return Failure{valid.error()};
  try {
    return write_bundle(job);
  } catch (const ov::Exception& thrown) {
    return fail(Code::kInternal, std::string("bake: OpenVINO: ") + thrown.what());
  }
}

}  // namespace ovenbird
