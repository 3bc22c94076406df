// The trace: one JSON object a line, so that a test can ask what the device was given.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace npu_emulator {

using Json = nlohmann::ordered_json;

/// Whether anybody listens: what only the trace needs is made only then.
bool is_tracing();

/// Writes one event with its members, whole lines only, from any thread.
void trace(const char* event, const Json& members = Json::object());

/// An address as the trace writes it: "0x7f...".
std::string address_text(const void* address);

}  // namespace npu_emulator
