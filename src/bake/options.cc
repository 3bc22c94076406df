// Which choices go together.
#include "bake/options.h"

#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"

namespace ovenbird {
namespace {

constexpr int32_t kGroupMax = 4096;  // beyond it, nobody can tell a group from a whole row

Failure refuse(const std::string& why) { return fail(Code::kInvalidArgument, "bake: " + why); }

Status validate_group(const BakeOptions& options) {
  if (!options.group_size) return ok();
  const int32_t group = *options.group_size;
  if (!has_four_bits(options.weights)) {
    return refuse("--group-size goes with --weights int4 and nf4 only");
  }
  if (options.target == Target::kNpu && group != 128 && group != -1) {
    return refuse("--group-size " + std::to_string(group) +
                  ": an NPU takes 128 or -1 (a whole row); --for cpu takes every multiple of 32");
  }
  const bool is_size = group > 0 && group % 32 == 0 && group <= kGroupMax;
  if (!is_size && group != -1) {
    return refuse("--group-size " + std::to_string(group) + ": it may be a multiple of 32 up to " +
                  std::to_string(kGroupMax) + ", or -1 (a whole row)");
  }
  return ok();
}

Status validate_mixture(const BakeOptions& options) {
  const auto needs_four_bits = [](const char* flag) {
    return refuse(std::string(flag) + " goes with --weights int4 and nf4 only");
  };
  if (!has_four_bits(options.weights)) {
    if (!options.int8_layers.empty()) return needs_four_bits("--int8-layers");
    if (!options.f16_layers.empty()) return needs_four_bits("--f16-layers");
    if (options.int4_ratio != 1.0) return needs_four_bits("--int4-ratio");
  }
  if (!(options.int4_ratio >= 0.0 && options.int4_ratio <= 1.0)) {
    return refuse("--int4-ratio: it may be 0 to 1, the share of the layers' weights in 4 bits");
  }
  return ok();
}

/// What the rules of npu/npu_rules.h would refuse once the graphs are built, said before anything
/// is read.
Status validate_for_npu(const BakeOptions& options) {
  for (const auto& [flag, choice] :
       {std::pair("--weights", options.weights),
        std::pair("--embedding", options.embedding.value_or(options.weights))}) {
    if (choice != WeightChoice::kGguf) continue;
    return refuse(std::string(flag) +
                  " gguf keeps blocks of 16 or 32 that an NPU does not take; add --for cpu");
  }
  if (options.weights == WeightChoice::kNf4) {
    return refuse(
        "--weights nf4: the NPU of Meteor and Arrow Lake does not have it; add --for cpu, or take "
        "--weights int4");
  }
  if (options.weights == WeightChoice::kInt8) {
    return refuse(
        "--weights int8: 8-bit layers crash on Lunar Lake's NPU (OpenVINO issue 35641); "
        "add --for cpu, or take --weights int4");
  }
  if (!options.int8_layers.empty()) {
    return refuse(
        "--int8-layers: 8-bit layers crash on Lunar Lake's NPU (OpenVINO issue 35641); "
        "add --for cpu, or take --f16-layers");
  }
  if (options.asymmetric) return refuse("--asymmetric: an NPU takes no zero points; add --for cpu");
  return ok();
}

}  // namespace

Status validate(const BakeOptions& options) {
  if (Status group = validate_group(options); !group) return group;
  if (Status mixture = validate_mixture(options); !mixture) return mixture;
  if (options.embedding && has_four_bits(*options.embedding)) {
    return refuse("--embedding int4 and nf4 are not offered: they need 8 bit or more");
  }
  if (options.asymmetric && options.weights != WeightChoice::kInt4) {
    return refuse("--asymmetric goes with --weights int4 only");
  }
  if (options.target == Target::kNpu) {
    if (Status taken = validate_for_npu(options); !taken) return taken;
  }
  if (options.context < 1 || options.context > limits::kContextMax) {
    return refuse("--context " + std::to_string(options.context) + ": it may be 1 to " +
                  std::to_string(limits::kContextMax));
  }
  return ok();
}

Status validate_layers(const BakeOptions& options, uint32_t layers) {
  for (const auto& [flag, list] : {std::pair("--int8-layers", &options.int8_layers),
                                   std::pair("--f16-layers", &options.f16_layers)}) {
    const std::optional<uint32_t> last = list->last_layer();
    if (!last || *last < layers) continue;
    return refuse(std::string(flag) + ": there is no layer " + std::to_string(*last) +
                  "; the model's are 0 to " + std::to_string(layers - 1));
  }
  return ok();
}

}  // namespace ovenbird
