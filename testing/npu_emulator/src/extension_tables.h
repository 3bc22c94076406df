// The tables of functions behind the names of extensions.
#pragma once

#include "abi/npu_extensions.h"

namespace npu_emulator {

inline constexpr uint32_t kGraphExtensionVersion = version(1, 16);

/// The table of the extension of this name; nullptr: there is none.
void* extension_table(const char* name);

/// In graph_api.cc.
GraphTable& graph_table();

}  // namespace npu_emulator
