// The bundle's manifest, ovenbird.json: what was baked, and size and SHA-256 of every file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/layer_rope.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// A newer version is refused, an older one read. Unknown keys are ignored.
inline constexpr uint32_t kBundleVersion = 1;
inline constexpr const char* kManifestName = "ovenbird.json";
inline constexpr const char* kWeightsName = "openvino_model.bin";
inline constexpr const char* kWindowGraphName = "openvino_model.xml";
inline constexpr const char* kTokenizerName = "tokenizer.ovenbird";

/// Which device family the bundle was baked for: what the weights may look like.
enum class Target { kNpu, kCpu };

/// Rows that a graph of open width without a bound is given at most.
inline constexpr uint32_t kOpenWidthMax = 128;

enum class CacheType { kF16, kF32 };
inline constexpr uint32_t bytes_of(CacheType type) { return type == CacheType::kF16 ? 2 : 4; }

/// An input or output of a graph. A dimension of -1 is open.
struct Port {
  std::string name;
  std::string type;  // OpenVINO's name: "i64", "f16", "f32"
  std::vector<int64_t> shape;
};

/// One step graph: W rows in, over P past rows.
struct GraphInfo {
  std::string file;         // "step_w1_p2048.xml"
  std::string plan;         // "window", "cached" or "dynamic"
  uint32_t width = 0;       // W, the most rows one step takes; 0 = any number
  bool open_width = false;  // takes 1 to W rows; a closed one always takes W
  uint32_t past = 0;        // P; 0 = the graph reads no cache, or with open_past has no bound
  bool open_past = false;   // takes 0 to P past rows
  uint32_t logit_rows = 0;  // rows of logits given: the last so many; 0 = all
  std::vector<Port> inputs;
  std::vector<Port> outputs;

  bool is_static() const { return !open_width && !open_past; }
};

/// All weights stored in one way.
struct WeightsInfo {
  std::string role;        // "layers", "embedding", "head", "norms"
  std::string type;        // "i4", "u4", "i8", "u8", "f16", "f32"
  int32_t group_size = 0;  // numbers that share a scale; -1 = a whole row; 0 = no scales
  bool symmetric = true;   // false: with zero points
  uint64_t tensors = 0;
  uint64_t parameters = 0;  // without padding
  uint64_t bytes = 0;       // in the weights file, scales included
};

struct FileInfo {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;  // 64 lower-case hexadecimal digits
};

struct ModelFacts {
  std::string architecture;  // config.json's model_type: "llama", "gemma2", ...
  std::string description;   // of the source, one line
  uint32_t layers = 0;
  uint32_t hidden = 0;
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
  uint32_t vocabulary = 0;
  uint32_t context = 0;  // tokens the model was trained on
  /// Radians per position of the numbers of a head that are rotated, [rotated / 2]: number i is a
  /// pair with number i + rotated / 2.
  std::vector<double> rope_frequencies;
  std::vector<double> local_rope_frequencies;  // of layers with LayerRope::kLocal
  std::vector<LayerRope> layer_ropes;          // one a layer; empty = all kGlobal
  std::vector<int64_t> bos_ids;
  std::vector<int64_t> eos_ids;
};

struct Manifest {
  uint32_t version = kBundleVersion;
  std::string baked_by;  // "ovenbird 0.1.0, OpenVINO 2026.4.1"
  Target target = Target::kNpu;
  CacheType cache_type = CacheType::kF16;
  ModelFacts model;
  std::vector<GraphInfo> graphs;
  std::vector<WeightsInfo> weights;
  std::vector<FileInfo> files;  // every file of the bundle but this one

  /// Bytes of one slot for `past` rows: keys and values of all layers.
  uint64_t slot_bytes(uint32_t past) const;
  /// Bytes of one head of one of its tensors.
  uint64_t head_bytes(uint32_t past) const;
  const GraphInfo* find_graph(std::string_view file) const;
};

/// The plan that a bundle runs on where nobody names one: "cached", or what there is.
std::string best_plan(const Manifest& manifest);

/// Rows that a slot of a plan has, whichever of its graphs are used: what the model was trained on,
/// as far as the graphs reach, and the whole of a fixed past. 0 for a plan without a cache, and for
/// one that the bundle has no graph of.
uint32_t cache_rows(const Manifest& manifest, std::string_view plan);

/// Rows of logits that a step of a plan gives at most, whichever of its graphs are used.
uint32_t logit_rows_max(const Manifest& manifest, std::string_view plan);

std::string to_json(const Manifest& manifest);

/// Errors: kCorrupt (naming the field), kUnsupported (a newer version).
Result<Manifest> parse_manifest(std::string_view json);

}  // namespace ovenbird
