// The device ladder: NPU, then GPU, then CPU.
#include "engine/open_engine.h"

#include <algorithm>

#include "base/device_order.h"
#include "engine/openvino_engine.h"

namespace ovenbird {
namespace {

/// The devices to try, in turn.
Result<std::vector<std::string>> rungs(const EngineOptions& options) {
  Result<std::vector<std::string>> devices = devices_from(options.device);
  // "auto" names no device that could be the only one.
  if (devices && options.device != "auto" && !options.fallback) devices->resize(1);
  return devices;
}

Result<std::unique_ptr<Engine>> open_on(const Bundle& bundle, const EngineOptions& options,
                                        const std::string& device) {
  if (std::string why = why_not_offered(device); !why.empty()) {
    return fail(Code::kNoDevice, std::move(why));
  }
  Result<std::vector<GraphInfo>> graphs = graphs_for(bundle.manifest(), options, device);
  if (!graphs) return Failure{graphs.error()};
  return open_openvino_engine(bundle, options, device, std::move(*graphs));
}

bool is_rounded(const WeightsInfo& weights) {
  return weights.type == "i4" || weights.type == "u4" || weights.type == "i8" ||
         weights.type == "u8";
}

}  // namespace

float width_noise(const Manifest& manifest, const EngineOptions& options) {
  constexpr float kOrderOfSums = 0.06f;   // largest seen with f32 weights: 0.056
  constexpr float kRoundedInputs = 1.5f;  // largest margin that was seen to tip: 1.33
  const bool rounded = std::any_of(manifest.weights.begin(), manifest.weights.end(), is_rounded);
  return rounded && !options.exact ? kRoundedInputs : kOrderOfSums;
}

Result<OpenedEngine> open_engine(const Bundle& bundle, const EngineOptions& options) {
  const Result<std::vector<std::string>> devices = rungs(options);
  if (!devices) return Failure{devices.error()};
  // Asked of the CPU, which takes every plan: a plan the bundle lacks is no device's fault.
  const Result<std::vector<GraphInfo>> known = graphs_for(bundle.manifest(), options, "CPU");
  if (!known) return Failure{known.error()};
  OpenedEngine opened;
  std::string reasons;
  Code last = Code::kNoDevice;
  for (const std::string& device : *devices) {
    Result<std::unique_ptr<Engine>> engine = open_on(bundle, options, device);
    if (engine) {
      opened.engine = std::move(*engine);
      return opened;
    }
    if (engine.error().code == Code::kCorrupt) return Failure{engine.error()};  // for all devices
    last = engine.error().code;
    reasons += (reasons.empty() ? "" : "; ") + device + ": " + engine.error().message;
    opened.notes.push_back(device + " not used: " + engine.error().message);
  }
  // Where one device was asked for, what is the matter with it is the answer.
  return fail(devices->size() == 1 ? last : Code::kNoDevice,
              "run " + bundle.directory().string() + ": " + reasons);
}

}  // namespace ovenbird
