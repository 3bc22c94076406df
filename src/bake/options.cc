// Which choices go together.
#include "bake/options.h"

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
  if (options.weights != WeightChoice::kInt4) {
    return refuse("--group-size goes with --weights int4 only");
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
  if (options.weights == WeightChoice::kInt8) {
    return refuse(
        "--weights int8: 8-bit layers crash on Lunar Lake's NPU (OpenVINO issue 35641); "
        "add --for cpu, or take --weights int4");
  }
  if (options.asymmetric) return refuse("--asymmetric: an NPU takes no zero points; add --for cpu");
  return ok();
}

}  // namespace

Status validate(const BakeOptions& options) {
  if (Status group = validate_group(options); !group) return group;
  if (options.embedding == WeightChoice::kInt4) {
    return refuse("--embedding int4 is not offered: embedding and head need 8 bit or more");
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

}  // namespace ovenbird
