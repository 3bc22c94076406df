// OpenVINO's Core, and its exceptions in our words. Included by the files that see OpenVINO only.
#pragma once

#include <exception>
#include <openvino/runtime/core.hpp>
#include <string>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// One Core for the process: it loads plugins once.
ov::Core& openvino_core();

/// Whether OpenVINO lists the device. Throws what OpenVINO throws.
bool offers(const std::string& device);

/// Whether the device's plugin says that it knows a property. Throws what OpenVINO throws.
bool knows_property(const std::string& device, const std::string& name);

/// The first lines of OpenVINO's message that say what happened; the rest are source locations.
std::string words_of(const std::exception& thrown);

/// What happened, by the driver's result code in the message: kDeviceLost or kOutOfMemory; where
/// there is none that we know, `otherwise`.
Code code_of(const std::exception& thrown, Code otherwise);

}  // namespace ovenbird
