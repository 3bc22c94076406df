// What an exported IR must keep before OpenVINO is given it: constants inside the weights file,
// operations of OpenVINO's own, the inputs and outputs of a decoder with a cache.
#pragma once

#include <cstdint>

#include "npu/ir_graph.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// How an export keeps its cache.
enum class CacheForm { kState, kPorts };

/// `weights_bytes`: the length of openvino_model.bin. Errors: kCorrupt (a constant beyond the file,
/// or whose size is not its shape's); kUnsupported, by name (an operation that is no part of
/// OpenVINO, loops and branches, an input or output that a plain decoder has not, no cache).
Result<CacheForm> check_exported_graph(const IrGraph& graph, uint64_t weights_bytes);

}  // namespace ovenbird
