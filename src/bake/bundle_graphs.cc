// Graph by graph: made, described, checked, written.
#include "bake/bundle_graphs.h"

#include <cmath>
#include <future>
#include <openvino/core/model.hpp>
#include <openvino/core/version.hpp>

#include "bake/npu_check.h"

namespace ovenbird {
namespace {

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
Status write_rotary_table(const char* name, double (*function)(double), const RotaryTable& table,
                          BundleFile& file, StoredWeights& stored) {
  if (Status aligned = file.align(64); !aligned) return aligned;
  std::vector<float> row(table.frequencies.size());
  stored.blobs[name] = {.type = StoredType::kF32,
                        .shape = {table.positions, row.size()},
                        .offset = file.bytes(),
                        .bytes = uint64_t{table.positions} * row.size() * sizeof(float)};
  for (uint32_t position = 0; position < table.positions; ++position) {
    for (size_t pair = 0; pair < row.size(); ++pair) {
      row[pair] = static_cast<float>(table.factor * function(position * table.frequencies[pair]));
    }
    if (Status done = file.append(std::as_bytes(std::span(row))); !done) return done;
  }
  return ok();
}

Status write_graph(Target target, const PlacedGraph& placed, const GraphInfo& graph,
                   BundleWriter& writer) {
  const Result<std::string> text = ir_text(placed);
  if (!text) return Failure{text.error()};
  if (target == Target::kNpu && graph.is_static()) {
    if (Status taken = check_for_npu(graph.file, *text); !taken) return taken;
  }
  return writer.add_whole(graph.file, *text);
}

}  // namespace

Status write_rotary_tables(const RotaryTable& table, BundleFile& file, StoredWeights& stored) {
  const auto cos = [](double angle) { return std::cos(angle); };
  const auto sin = [](double angle) { return std::sin(angle); };
  const Status done = write_rotary_table(table.names.cos, cos, table, file, stored);
  return done ? write_rotary_table(table.names.sin, sin, table, file, stored) : done;
}

Status write_graphs(const GraphsJob& job, IrWriter& ir, BundleWriter& writer,
                    std::vector<GraphInfo>& graphs) {
  std::future<Status> written;  // the graph before, while the next one is made
  const auto finish = [&] { return written.valid() ? written.get() : ok(); };
  for (GraphInfo& graph : graphs) {
    const Result<std::shared_ptr<ov::Model>> model = job.make(shape_of(graph));
    if (!model) return Failure{model.error()};
    graph.inputs = ports_of((*model)->inputs());
    graph.outputs = ports_of((*model)->outputs());
    Result<PlacedGraph> placed = ir.place(*model);
    if (!placed) return Failure{placed.error()};
    if (Status done = finish(); !done) return done;
    written = std::async(std::launch::async, [&, placed = std::move(*placed)] {
      return write_graph(job.target, placed, graph, writer);
    });
  }
  return finish();
}

std::string baked_by() {
  return std::string("ovenbird " OVENBIRD_VERSION ", OpenVINO ") +
         ov::get_openvino_version().buildNumber;
}

}  // namespace ovenbird
