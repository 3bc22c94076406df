// A bundle as a table for people.
#include <algorithm>
#include <cstdint>

#include "base/message_text.h"
#include "inspect.h"
#include "memory_needs.h"
#include "npu/npu_lint.h"
#include "quantities.h"

namespace ovenbird {
namespace {

constexpr size_t kLabelColumns = 14;

std::string padded(std::string text, size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text + " ";
}

std::string line(const std::string& label, const std::string& text) {
  return padded(label, kLabelColumns - 1) + text + "\n";
}

std::string shape_text(const Port& port) {
  std::string text = port.type + "[";
  for (size_t axis = 0; axis < port.shape.size(); ++axis) {
    text += axis == 0 ? "" : ",";
    text += port.shape[axis] < 0 ? "?" : std::to_string(port.shape[axis]);
  }
  return text + "]";
}

bool is_cache(const Port& port) {
  return port.name.starts_with("past_key_values.") || port.name.starts_with("present.");
}

/// The ports by name and shape; those of the cache, which repeat in every layer, as one.
std::string ports_text(const std::vector<Port>& ports) {
  std::string text;
  size_t cache_ports = 0;
  const Port* cache_port = nullptr;
  for (const Port& port : ports) {
    if (is_cache(port)) {
      ++cache_ports;
      cache_port = &port;
      continue;
    }
    text += (text.empty() ? "" : ", ") + printable(port.name) + " " + shape_text(port);
  }
  if (cache_port) {
    const std::string name = cache_port->name.starts_with("past") ? "past_key_values" : "present";
    text += ", " + name + " " + std::to_string(cache_ports) + " x " + shape_text(*cache_port);
  }
  return text;
}

std::string width_text(const GraphInfo& graph) {
  if (!graph.open_width) return std::to_string(graph.width);
  return graph.width == 0 ? "any" : "1-" + std::to_string(graph.width);
}

std::string past_text(const GraphInfo& graph) {
  return graph.open_past ? "any" : std::to_string(graph.past);
}

constexpr const char* kVerdictLabel = "      NPU  ";

/// A line for each group of platforms that say the same, or one for each of their reasons.
std::string verdict_text(const GraphVerdict& verdict) {
  if (!verdict.is_for_npu) return kVerdictLabel + std::string("not used: open, for CPU and GPU\n");
  const auto& refusals = verdict.refusals;
  const auto say_the_same = [&](size_t one, size_t other) {
    return std::equal(refusals[one].begin(), refusals[one].end(), refusals[other].begin(),
                      refusals[other].end(), [](const NpuRefusal& a, const NpuRefusal& b) {
                        return a.layer == b.layer && a.why == b.why;
                      });
  };
  std::string text;
  for (size_t index = 0; index < refusals.size(); ++index) {
    const auto same = [&](size_t other) { return say_the_same(index, other); };
    size_t first = 0;
    while (!same(first)) ++first;
    if (first != index) continue;  // said already
    const std::string platforms = platforms_where(same);
    if (refusals[index].empty()) text += kVerdictLabel + platforms + ": takes it\n";
    for (const NpuRefusal& refusal : refusals[index]) {
      const std::string layer = refusal.layer.empty() ? "" : printable(refusal.layer) + ": ";
      text += kVerdictLabel + platforms + ": refuses it: " + layer + one_line(refusal.why) + "\n";
    }
  }
  return text;
}

std::string graphs_text(const Manifest& manifest, const NpuLint& lint) {
  size_t name_columns = 0;
  for (const GraphInfo& graph : manifest.graphs) {
    name_columns = std::max(name_columns, graph.file.size());
  }
  std::string text = "\ngraphs\n";
  for (size_t index = 0; index < manifest.graphs.size(); ++index) {
    const GraphInfo& graph = manifest.graphs[index];
    text += "  " + padded(graph.file, name_columns) + " " + padded(printable(graph.plan), 7) +
            " width " + padded(width_text(graph), 5) + " past " + past_text(graph) + "\n";
    text += "      in   " + ports_text(graph.inputs) + "\n";
    text += "      out  " + ports_text(graph.outputs) + "\n";
    text += verdict_text(lint.graphs[index]);
  }
  return text;
}

std::string scales_text(const WeightsInfo& weights) {
  if (weights.group_size == 0) return "no scales";
  const std::string group = weights.group_size == -1
                                ? "one scale a row"
                                : "groups of " + std::to_string(weights.group_size);
  return group + (weights.symmetric ? ", symmetric" : ", zero points");
}

std::string weights_text(const Manifest& manifest) {
  std::string text = "\nweights\n";
  for (const WeightsInfo& weights : manifest.weights) {
    text += "  " + padded(printable(weights.role), 9) + " " + padded(printable(weights.type), 3) +
            " " + padded(scales_text(weights), 26) + " " +
            padded(count_text(weights.parameters) + " numbers", 16) + size_text(weights.bytes) +
            "\n";
  }
  return text;
}

std::string memory_text(const Manifest& manifest) {
  const MemoryNeeds needs = memory_needs(manifest);
  return "\nmemory        at least; `ovenbird bench` measures\n" +
         line("  slot", size_text(needs.slot) + " for one conversation") +
         line("  weights", size_text(needs.weights) + ", and as much for each compiled graph:") +
         line("  lean", size_text(needs.lean)) + line("  balanced", size_text(needs.balanced)) +
         line("  fast", size_text(needs.fast));
}

/// All graphs in one line, then what no graph's line says.
std::string npu_text(const NpuLint& lint) {
  const std::string refusing =
      platforms_where([&](size_t platform) { return !lint.is_taken_on(platform); });
  std::string text =
      "\n" + line("NPU", refusing.empty() ? "nothing that it would refuse"
                                          : "refuses this bundle on " + refusing +
                                                ": CPU and GPU take it; `ovenbird bake CHECKPOINT "
                                                "--for npu` makes one that all take");
  for (const NpuFinding& finding : lint.findings) {
    if (finding.kind != NpuFinding::Kind::kRisk) continue;
    text += "  " + padded(name_of(finding.kind), 9) + " " + printable(finding.subject) + ": " +
            one_line(finding.message) + "\n";
  }
  return text;
}

}  // namespace

std::string inspect_table(const Bundle& bundle) {
  const Manifest& manifest = bundle.manifest();
  const ModelFacts& model = manifest.model;
  const NpuLint lint = npu_lint(bundle);
  uint64_t bytes = 0;
  for (const FileInfo& file : manifest.files) bytes += file.bytes;
  return line("bundle", one_line(bundle.directory().string()) + ", " + size_text(bytes)) +
         line("baked for", manifest.target == Target::kNpu
                               ? "npu (and everything else)"
                               : "cpu (and GPU; an NPU may refuse it)") +
         line("baked by", one_line(manifest.baked_by)) +
         line("source", one_line(model.description)) +
         line("model", printable(model.architecture) + ", " + std::to_string(model.layers) +
                           " layers, hidden " + std::to_string(model.hidden) + ", heads " +
                           std::to_string(model.heads) + "/" + std::to_string(model.kv_heads) +
                           " of " + std::to_string(model.head_dim) + ", vocabulary " +
                           std::to_string(model.vocabulary) + ", trained on " +
                           std::to_string(model.context) + " tokens") +
         line("cache", manifest.cache_type == CacheType::kF16 ? "f16" : "f32") +
         graphs_text(manifest, lint) + weights_text(manifest) + memory_text(manifest) +
         npu_text(lint);
}

}  // namespace ovenbird
