// The engine over ov::Core. OpenVINO's exceptions end in its .cc file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bundle/bundle.h"
#include "engine/engine.h"
#include "engine/open_engine.h"

namespace ovenbird {

/// Why `device` cannot be used here, in one line; empty if OpenVINO offers it.
std::string why_not_offered(const std::string& device);

/// An engine over `graphs` on `device`. The first is compiled before it returns, the others when
/// they are prepared or bound.
/// Errors: kCompileFailed, kOutOfMemory, kDeviceLost (the first does not compile, with the driver's
/// words), kCorrupt (its inputs and outputs are not what the manifest says).
Result<std::unique_ptr<Engine>> open_openvino_engine(const Bundle& bundle,
                                                     const EngineOptions& options,
                                                     const std::string& device,
                                                     std::vector<GraphInfo> graphs);

}  // namespace ovenbird
