// Chooses device and graphs, and compiles them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bundle/bundle.h"
#include "engine/engine.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Which graphs of a plan are compiled. Each compiled graph holds the weights again.
enum class Recipe { kLean, kBalanced, kFast };

struct EngineOptions {
  std::string plan = "cached";        // "window", "cached" or "dynamic"
  Recipe recipe = Recipe::kBalanced;  // "cached" only
  std::string device = "auto";        // "auto" (NPU, GPU, CPU in turn), or where to begin
  bool fallback = true;               // go on with the next device when one fails
  uint32_t threads = 0;               // CPU only; 0 = OpenVINO's choice
  bool exact = false;                 // CPU only: no 8-bit rounding of a matmul's inputs
  bool score = false;                 // logits of every row are wanted, not speed of decoding
  bool blob_cache = true;             // keep compiled blobs in the bundle's cache/
  /// Told, once each, what works but not as it should: a line, with what mends it. By the thread
  /// that opens the engine or binds a graph. May be empty.
  std::function<void(const std::string&)> on_note;
};

/// An engine and, for each device that was tried in vain before it, one line saying why.
struct OpenedEngine {
  std::unique_ptr<Engine> engine;
  std::vector<std::string> notes;
};

/// Errors: kInvalidArgument (no such plan or device), kCorrupt (a graph is not the manifest's),
/// kNoDevice (none could be used; the message says for each why). Where only one device was to be
/// tried, the code is what open_openvino_engine() gave.
Result<OpenedEngine> open_engine(const Bundle& bundle, const EngineOptions& options);

/// How far the best logits of one token may differ between two graph widths on the CPU. Sums are
/// taken in another order, which an f16 cache carries on; and where a matmul's inputs are rounded
/// to 8 bit, the least difference tips roundings. `bench/width_noise.py` measures it.
float width_noise(const Manifest& manifest, const EngineOptions& options);

/// The graphs of `manifest` that these options use on `device`, the first one needed first, those
/// over fewer past rows before those over more.
/// Errors: kInvalidArgument (the bundle has none of that plan).
Result<std::vector<GraphInfo>> graphs_for(const Manifest& manifest, const EngineOptions& options,
                                          const std::string& device);

}  // namespace ovenbird
