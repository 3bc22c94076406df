// How each device is asked to compile. Included by the files that see OpenVINO only.
#pragma once

#include <openvino/core/any.hpp>
#include <string>

#include "engine/open_engine.h"

namespace ovenbird {

/// What a device is told, as far as its plugin says it knows it. Throws what OpenVINO throws.
ov::AnyMap properties_for(const std::string& device, const EngineOptions& options);

/// The same for an NPU whose compiler has not the memory for a whole graph: OpenVINO's wrapper
/// (NPUW) cuts it into functions, each compiled once, and keeps the weights in one bank, which the
/// graphs of a process share under the name `bank`. `cache`: what the graph reads and gives.
ov::AnyMap folded(ov::AnyMap properties, const std::string& bank, CacheType cache);

}  // namespace ovenbird
