// Constants are found in the model, and known by where they lie in the mapped file.
#include "bake/import_weights.h"

#include <algorithm>
#include <map>
#include <openvino/op/constant.hpp>
#include <set>
#include <string>

namespace ovenbird {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr size_t kPieceBytes = 8u << 20;  // between two looks at whether the user wants out

using Bytes = std::span<const std::byte>;

Bytes bytes_of(const op::Constant& constant) {
  return {static_cast<const std::byte*>(constant.get_data_ptr()), constant.get_byte_size()};
}

bool lies_in(Bytes part, Bytes whole) {
  return !part.empty() && part.data() >= whole.data() &&
         part.data() + part.size() <= whole.data() + whole.size();
}

/// (begin, bytes) of every constant over the file, without repetition, in its order.
std::set<std::pair<const std::byte*, size_t>> constants_in(const ov::Model& model, Bytes whole) {
  std::set<std::pair<const std::byte*, size_t>> found;
  for (const std::shared_ptr<ov::Node>& node : model.get_ops()) {
    const auto constant = ov::as_type_ptr<op::Constant>(node);
    if (!constant) continue;
    const Bytes bytes = bytes_of(*constant);
    if (lies_in(bytes, whole)) found.emplace(bytes.data(), bytes.size());
  }
  return found;
}

Status append_in_pieces(Bytes bytes, const MappedFile& source, BundleFile& file,
                        const BakeProgress& progress) {
  for (size_t begin = 0; begin < bytes.size(); begin += kPieceBytes) {
    const Bytes piece = bytes.subspan(begin, std::min(kPieceBytes, bytes.size() - begin));
    if (Status done = file.append(piece); !done) return done;
    source.release(piece);
    const auto place = static_cast<uint64_t>(piece.data() - source.bytes().data());
    if (progress && !progress(place + piece.size())) {
      return interrupted();
    }
  }
  return ok();
}

// --- The summary

/// A matrix as numbers, scales and zero points that it is computed from.
struct StoredParts {
  const op::Constant* values = nullptr;
  const op::Constant* scales = nullptr;
  const op::Constant* zeros = nullptr;
};

const op::Constant* constant_behind(const ov::Node* node) {
  while (ov::is_type<op::Convert>(node) || ov::is_type<op::Reshape>(node)) {
    node = node->get_input_node_ptr(0);
  }
  return ov::as_type<const op::Constant>(node);
}

/// Convert, [Subtract], [Multiply], [Reshape], [Convert] over constants; no values: something else.
StoredParts parts_of(const ov::Node* node) {
  StoredParts parts;
  while (!ov::is_type<op::Constant>(node)) {
    const bool scales = ov::is_type<op::Multiply>(node);
    const bool zeros = ov::is_type<op::Subtract>(node);
    if (scales || zeros) {
      const op::Constant* part = constant_behind(node->get_input_node_ptr(1));
      if (!part) return {};
      (scales ? parts.scales : parts.zeros) = part;
    } else if (!ov::is_type<op::Convert>(node) && !ov::is_type<op::Reshape>(node) &&
               !ov::is_type<op::Transpose>(node)) {
      return {};
    }
    node = node->get_input_node_ptr(0);
  }
  parts.values = ov::as_type<const op::Constant>(node);
  return parts;
}

/// Numbers that share a scale, as the manifest says it.
int32_t group_of(const StoredParts& parts) {
  if (!parts.scales) return 0;
  const ov::Shape& values = parts.values->get_shape();
  return values.size() == 3 ? static_cast<int32_t>(values[2]) : -1;
}

class Summary {
 public:
  void add(const std::string& role, const StoredParts& parts) {
    if (!parts.values || !seen_.insert(parts.values->get_data_ptr()).second) return;
    const std::string type = parts.values->get_element_type().get_type_name();
    const bool symmetric = !parts.zeros;
    const auto key = std::tuple(role, type, group_of(parts), symmetric);
    const auto [place, is_new] = places_.try_emplace(key, all_.size());
    if (is_new) {
      all_.push_back(
          {.role = role, .type = type, .group_size = group_of(parts), .symmetric = symmetric});
    }
    WeightsInfo& info = all_[place->second];
    ++info.tensors;
    info.parameters += ov::shape_size(parts.values->get_shape());
    for (const op::Constant* part : {parts.values, parts.scales, parts.zeros}) {
      if (part) info.bytes += part->get_byte_size();
    }
  }

  std::vector<WeightsInfo> take() { return std::move(all_); }

 private:
  std::vector<WeightsInfo> all_;
  std::map<std::tuple<std::string, std::string, int32_t, bool>, size_t> places_;
  std::set<const void*> seen_;
};

/// The first matrix that the logits come from.
const ov::Node* head_of(const ov::Model& model) {
  const ov::Node* node = find_result(model, "logits").get();
  while (!ov::is_type<op::MatMul>(node) && node->get_input_size() > 0) {
    node = node->get_input_node_ptr(0);
  }
  return node;
}

bool is_matrix(const StoredParts& parts) {
  return parts.values && parts.values->get_shape().size() >= 2;
}

}  // namespace

Status copy_weights(const ImportedModel& imported, const MappedFile& source, BundleFile& file,
                    IrWriter& ir, const BakeProgress& progress) {
  for (const auto& [begin, count] : constants_in(*imported.model, source.bytes())) {
    if (Status aligned = file.align(kAlignment); !aligned) return aligned;
    const Bytes bytes(begin, count);
    ir.place(bytes, file.bytes());
    if (Status done = append_in_pieces(bytes, source, file, progress); !done) return done;
  }
  return ok();
}

std::vector<WeightsInfo> summarize_weights(const ImportedModel& imported) {
  Summary summary;
  const ov::Node* head = head_of(*imported.model);
  const std::vector<std::shared_ptr<ov::Node>> nodes = imported.model->get_ordered_ops();
  for (const std::shared_ptr<ov::Node>& node : nodes) {
    const bool gathers = ov::is_type<op::Gather>(node);
    if (!gathers && !ov::is_type<op::MatMul>(node)) continue;
    const StoredParts parts = parts_of(node->get_input_node_ptr(gathers ? 0 : 1));
    const bool is_float = parts.values && !parts.values->get_element_type().is_integral_number();
    if (!is_matrix(parts) || (gathers && !is_float && !parts.scales)) continue;
    summary.add(gathers ? "embedding" : node.get() == head ? "head" : "layers", parts);
  }
  for (const std::shared_ptr<ov::Node>& node : nodes) {
    if (!ov::is_type<op::Multiply>(node) && !ov::is_type<op::Add>(node)) continue;
    if (parts_of(node.get()).values) continue;  // part of a matrix: those are its scales
    for (const Value& input : node->input_values()) {
      const StoredParts parts = parts_of(input.get_node());
      const bool is_vector = parts.values && !parts.scales &&
                             parts.values->get_element_type().is_real() &&
                             ov::shape_size(parts.values->get_shape()) > 1;
      if (is_vector) summary.add("norms", parts);
    }
  }
  return summary.take();
}

}  // namespace ovenbird
