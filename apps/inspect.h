// The inspect command: a bundle's manifest for people and for programs. Needs no device.
#pragma once

#include <string>

#include "bundle/bundle.h"
#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Opens the bundle, prints it to standard output, reports errors.
ExitStatus inspect(const InspectCommand& command);

/// The bundle as a table for people, several lines. Reads every graph, to say what an NPU would.
std::string inspect_table(const Bundle& bundle);

/// The bundle as one JSON object, several lines: format, version, model, graphs, weights,
/// weights_by_type, bytes_per_slot, memory, npu_refuses, npu_findings, files. A graph's "npu" says
/// by platform whether it is taken, and why not.
std::string inspect_json(const Bundle& bundle);

}  // namespace ovenbird
