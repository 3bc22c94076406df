// Masks are asked what they compute: how exporters write them changes with each version.
#include "bake/import_masks.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "bake/import_probe.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr float kHides = -10000.0f;  // f16's smallest is -65504; sums of two stay below this

/// A step to ask about: its rows, and the attention_mask over past and new columns.
struct MaskCase {
  size_t width = 1;
  std::vector<int64_t> allowed;  // [past + width]

  size_t past() const { return allowed.size() - width; }
};

std::vector<MaskCase> mask_cases(uint32_t context) {
  std::vector<int64_t> all(context, 1);
  return {{.width = 5, .allowed = {0, 0, 1, 1, 1}},              // a first step, padded in front
          {.width = 5, .allowed = {1, 1, 1, 1, 1}},              // a full one
          {.width = 3, .allowed = {1, 1, 0, 1, 0, 0, 1, 1, 1}},  // over a past with holes
          {.width = 4, .allowed = {1, 1, 0, 0, 0, 0, 1, 1}},     // padded between past and rows
          {.width = 1, .allowed = all}};                         // the last row of a full context
}

ProbeFeed feed_of(const MaskCase& one) {
  std::vector<int64_t> ids(one.width, 0), positions(one.width, 0);
  int64_t seen = std::count(one.allowed.begin(), one.allowed.begin() + one.past(), 1);
  for (size_t row = 0; row < one.width; ++row) {
    if (one.allowed[one.past() + row] == 1) positions[row] = seen++;
  }
  return {.inputs = {{"input_ids", row_of(ids)},
                     {"attention_mask", row_of(one.allowed)},
                     {"position_ids", row_of(positions)}},
          .past = one.past()};
}

/// Numbers that are added to scores; of a mask of booleans 0 and -infinity.
std::vector<float> as_added(const ov::Tensor& mask) {
  std::vector<float> added(mask.get_size());
  if (mask.get_element_type() == ov::element::boolean) {
    const auto* seen = static_cast<const char*>(mask.data());
    for (size_t i = 0; i < added.size(); ++i) added[i] = seen[i] ? 0.0f : 2 * kHides;
  } else {
    const float* numbers = mask.data<float>();
    added.assign(numbers, numbers + added.size());
  }
  return added;
}

/// Empty if the mask of this case is as it should be.
std::string fault_of(const ov::Tensor& mask, const MaskCase& one) {
  const size_t columns = one.allowed.size();
  const ov::element::Type type = mask.get_element_type();
  if (mask.get_shape() != ov::Shape{1, 1, one.width, columns} ||
      (type != ov::element::boolean && type != ov::element::f32)) {
    return "its shape or type is not that of a mask";
  }
  const std::vector<float> added = as_added(mask);
  for (size_t row = 0; row < one.width; ++row) {
    if (one.allowed[one.past() + row] != 1) continue;
    for (size_t column = 0; column < columns; ++column) {
      const bool seen = one.allowed[column] == 1 && column <= one.past() + row;
      const float number = added[row * columns + column];
      if (seen ? number == 0.0f : number <= kHides) continue;
      const std::string place = "row " + std::to_string(row) + " of " + std::to_string(one.width) +
                                " over " + std::to_string(one.past()) + ", column " +
                                std::to_string(column);
      if (seen) return place + " is hidden or weighed (a sliding window or a bias?)";
      return place + " is seen";
    }
  }
  return {};
}

Status check_mask(const ImportedAttention& attention, const std::vector<MaskCase>& cases) {
  const auto refuse = [&](const std::string& why) {
    return fail(Code::kUnsupported, "the mask of attention " +
                                        in_quotes(attention.node->get_friendly_name()) + ": " +
                                        why + "; causal attention over all tokens is supported");
  };
  for (const MaskCase& one : cases) {
    const Result<ov::Tensor> mask = probe(attention.mask, feed_of(one));
    if (!mask) return refuse(mask.error().message);
    const std::string fault = fault_of(*mask, one);
    if (!fault.empty()) return refuse(fault);
  }
  return ok();
}

}  // namespace

Status check_masks(const ImportedAttentions& attentions, uint32_t context) {
  const std::vector<MaskCase> cases = mask_cases(context);
  std::set<Value> checked;  // layers share them
  for (const ImportedAttention& attention : attentions.layers) {
    if (!checked.insert(attention.mask).second) continue;
    if (Status done = check_mask(attention, cases); !done) return done;
  }
  return ok();
}

}  // namespace ovenbird
