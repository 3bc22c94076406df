// Checks, then weights, then graphs.
#include "bake/import.h"

#include <algorithm>
#include <new>
#include <openvino/core/except.hpp>

#include "bake/bundle_graphs.h"
#include "bake/import_graph.h"
#include "bake/import_weights.h"
#include "bake/npu_check.h"
#include "bake/planned_graphs.h"
#include "base/limits.h"
#include "base/message_text.h"
#include "npu/ir_graph.h"

namespace ovenbird {
namespace {

struct Checked {
  IrGraph graph;
  ImportedModel model;
  ExportFacts facts;
};

Result<Checked> read_checked(const OpenvinoExport& source) {
  const std::span<const std::byte> bytes = source.graph.bytes();
  const std::string_view xml(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Result<IrGraph> graph = read_ir_graph(xml);
  if (!graph) return Failure{graph.error()};
  const Result<CacheForm> form = check_exported_graph(*graph, source.weights.bytes().size());
  if (!form) return Failure{form.error()};
  Result<ImportedModel> model = read_imported_model(xml, source.weights.bytes(), *form);
  if (!model) return Failure{model.error()};
  Result<ExportFacts> facts = read_export_facts(source.json, model->vocabulary);
  if (!facts) return Failure{facts.error()};
  if (Status checked = check_imported_model(*model, facts->context); !checked) {
    return Failure{checked.error()};
  }
  return Checked{
      .graph = *std::move(graph), .model = *std::move(model), .facts = *std::move(facts)};
}

std::string description_of(const Checked& checked, const std::vector<WeightsInfo>& weights) {
  std::string text = "OpenVINO IR, " + checked.facts.architecture;
  for (const WeightsInfo& info : weights) {
    if (info.role != "layers") continue;
    text += ", " + info.type;
    if (info.group_size != 0) text += info.symmetric ? " symmetric" : " asymmetric";
    if (info.group_size > 0) text += ", groups of " + std::to_string(info.group_size);
    if (info.group_size < 0) text += ", by row";
  }
  return text;
}

ModelFacts facts_of(const Checked& checked, const std::vector<WeightsInfo>& weights) {
  const ImportedAttentions& attentions = checked.model.attentions;
  return {.architecture = checked.facts.architecture,
          .description = description_of(checked, weights),
          .layers = static_cast<uint32_t>(attentions.layers.size()),
          .hidden = checked.facts.hidden,
          .heads = attentions.heads,
          .kv_heads = attentions.kv_heads,
          .head_dim = attentions.head_dim,
          .vocabulary = checked.model.vocabulary,
          .context = checked.facts.context,
          .rope_frequencies = checked.model.rotation.frequencies,
          .bos_ids = checked.facts.tokens.bos_ids,
          .eos_ids = checked.facts.tokens.eos_ids};
}

/// A table of the new weights file as a tensor over its mapping.
ov::Tensor table_of(const StoredWeights& stored, const char* name,
                    std::span<const std::byte> weights) {
  const Blob& blob = stored.blobs.at(name);
  return ov::Tensor(ov::element::f32, ov::Shape(blob.shape.begin(), blob.shape.end()),
                    const_cast<std::byte*>(weights.data() + blob.offset));
}

Status write_step_graphs(const ImportJob& job, const ImportedModel& model,
                         const StoredWeights& stored, BundleFile& weights, IrWriter& ir,
                         BundleWriter& writer, std::vector<GraphInfo>& graphs) {
  if (Status flushed = weights.flush(); !flushed) return flushed;
  const Result<MappedFile> mapped = MappedFile::open(weights.path());
  if (!mapped) return Failure{mapped.error()};
  ir.place(stored, mapped->bytes());
  const RopeTables names = rope_tables(LayerRope::kGlobal);
  const RotaryTables tables{.cos = table_of(stored, names.cos, mapped->bytes()),
                            .sin = table_of(stored, names.sin, mapped->bytes())};
  const GraphMaker make = [&](const StepShape& shape) -> Result<std::shared_ptr<ov::Model>> {
    if (job.progress && !job.progress(job.source.weights.bytes().size())) {
      return interrupted();
    }
    return import_step_graph(model, tables, shape, job.cache);
  };
  return write_graphs({.make = make, .target = job.for_target}, ir, writer, graphs);
}

Result<Manifest> write_bundle(const ImportJob& job, const Checked& checked) {
  Result<BundleWriter> writer = BundleWriter::create(job.target, job.replace);
  if (!writer) return Failure{writer.error()};
  Result<BundleFile> weights = writer->add(kWeightsName);
  if (!weights) return Failure{weights.error()};
  IrWriter ir(*weights);
  const Status copied = copy_weights(checked.model, job.source.weights, *weights, ir, job.progress);
  if (!copied) return Failure{copied.error()};
  const uint32_t past = std::min(job.context, checked.facts.context);
  const RotaryTable table{.names = rope_tables(LayerRope::kGlobal),
                          .frequencies = checked.model.rotation.frequencies,
                          .positions = positions_of(past)};
  StoredWeights stored;
  if (Status done = write_rotary_tables(table, *weights, stored); !done) {
    return Failure{done.error()};
  }
  const std::vector<WeightsInfo> summary = summarize_weights(checked.model);
  Manifest manifest{.baked_by = baked_by(),
                    .target = job.for_target,
                    .cache_type = job.cache,
                    .model = facts_of(checked, summary),
                    .graphs = planned_graphs(past),
                    .weights = summary};
  const Status done =
      write_step_graphs(job, checked.model, stored, *weights, ir, *writer, manifest.graphs);
  if (!done) return Failure{done.error()};
  if (Status closed = writer->close(std::move(*weights)); !closed) return Failure{closed.error()};
  const SmallFiles small{.config = job.source.texts.config,
                         .generation_config = job.source.texts.generation,
                         .extra = job.extra_files};
  if (Status written = write_small_files(small, *writer); !written) {
    return Failure{written.error()};
  }
  if (Status committed = writer->commit(manifest); !committed) return Failure{committed.error()};
  return manifest;
}

Result<Manifest> check_and_write(const ImportJob& job) {
  const Result<Checked> checked = read_checked(job.source);
  if (!checked) {
    return fail(checked.error().code,
                one_line("bake openvino_model.xml: " + checked.error().message));
  }
  if (job.for_target == Target::kNpu) {
    const Status taken = check_weights_for_npu("openvino_model.xml", checked->graph);
    if (!taken) return Failure{taken.error()};
  }
  return write_bundle(job, *checked);
}

}  // namespace

Result<Manifest> bake_export(const ImportJob& job) {
  try {
    return check_and_write(job);
  } catch (const ov::Exception& thrown) {
    return fail(Code::kUnsupported,
                one_line(std::string("bake openvino_model.xml: OpenVINO: ") + thrown.what()));
  } catch (const std::bad_alloc&) {
    return fail(Code::kCorrupt,
                "bake openvino_model.xml: it asks for more memory than there is: is it damaged?");
  }
}

}  // namespace ovenbird
