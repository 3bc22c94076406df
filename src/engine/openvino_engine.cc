// Compiles step graphs and runs them on bound memory.
#include "engine/openvino_engine.h"

#include <malloc.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/intel_npu/properties.hpp>
#include <openvino/runtime/properties.hpp>
#include <optional>

#include "base/check.h"
#include "base/resident_pages.h"
#include "engine/blob_cache.h"
#include "engine/npu_probe.h"
#include "engine/port_check.h"

namespace ovenbird {
namespace {

/// Held while OpenVINO may map or unmap a bundle's files: while it compiles a graph or lets one go.
/// Only then may their pages be dropped (see drop_resident_pages).
std::mutex& mapping_mutex() {
  static std::mutex the_mutex;
  return the_mutex;
}

/// One Core for the process: it loads plugins once, and blobs are found through its cache.
ov::Core& core() {
  static ov::Core the_core;
  return the_core;
}

/// The first line of OpenVINO's message; the rest are source locations.
std::string words_of(const std::exception& thrown) {
  std::string text = thrown.what();
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    // "Exception from src/...:" and "Check '...' failed at ..." say where, not what.
    if (part.empty() || part.starts_with("Exception from") || part.starts_with("Check '")) continue;
    line += (line.empty() ? "" : "; ") + part;
    if (line.size() > 300) break;
  }
  return line.empty() ? text.substr(0, text.find('\n')) : line.substr(0, 300);
}

bool offers(const std::string& device) {
  const std::vector<std::string> devices = core().get_available_devices();
  return std::any_of(devices.begin(), devices.end(), [&](const std::string& name) {
    return name == device || name.starts_with(device + ".");
  });
}

ov::AnyMap cpu_properties(const EngineOptions& options) {
  ov::AnyMap properties{ov::hint::inference_precision(ov::element::f32),
                        ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
                        ov::hint::enable_cpu_pinning(false)};
  // Rounding a matmul's inputs to 8 bit makes int4 and int8 steps up to twice as fast.
  if (options.exact) properties.insert(ov::hint::dynamic_quantization_group_size(0));
  if (options.threads > 0) {
    properties.insert(ov::inference_num_threads(static_cast<int32_t>(options.threads)));
  }
  return properties;
}

/// What Intel's documents advise for language models, as far as this plugin knows the property.
/// "Add_RMSNorm" is how step graphs name the addition that overflows f16.
ov::AnyMap npu_properties() {
  const ov::AnyMap wanted{
      {"NPU_COMPILER_DYNAMIC_QUANTIZATION", "YES"},
      {"NPU_COMPILATION_MODE_PARAMS",
       "compute-layers-with-higher-precision=Sqrt,Power,ReduceMean,Add_RMSNorm"},
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY)};
  const auto supported = core().get_property("NPU", ov::supported_properties);
  ov::AnyMap properties;
  for (const auto& [name, value] : wanted) {
    const bool known = std::find(supported.begin(), supported.end(), name) != supported.end();
    if (known) properties[name] = value;
  }
  return properties;
}

ov::AnyMap properties_for(const std::string& device, const EngineOptions& options) {
  if (device == "CPU") return cpu_properties(options);
  if (device == "NPU") return npu_properties();
  return {ov::hint::inference_precision(ov::element::f16)};
}

class OpenVinoEngine : public Engine {
 public:
  OpenVinoEngine(const Bundle& bundle, const EngineOptions& options, std::string device,
                 std::vector<GraphInfo> graphs)
      : bundle_(bundle),
        options_(options),
        device_(std::move(device)),
        graphs_(std::move(graphs)),
        compiled_(graphs_.size()) {}

  ~OpenVinoEngine() override {
    for (size_t graph = 0; graph < compiled_.size(); ++graph) let_go(graph);
  }

  const std::string& device() const override { return device_; }
  const std::vector<GraphInfo>& graphs() const override { return graphs_; }
  std::chrono::nanoseconds waited() const override { return waited_; }

  void prepare(size_t graph) override {
    OVENBIRD_CHECK(graph < graphs_.size());
    Compiled& compiled = compiled_[graph];
    if (compiled.model.valid()) return;
    compiled.model = std::async(std::launch::async, [this, graph] {
                       ov::CompiledModel made = load(graph);
                       ::malloc_trim(0);  // compiling frees as much as it keeps
                       return made;
                     }).share();
  }

  void release(size_t graph) override {
    OVENBIRD_CHECK(graph < graphs_.size());
    let_go(graph);
    ::malloc_trim(0);  // a compiled graph is a hundred thousand small blocks and its weights
  }

  /// Waits until a graph is compiled. Errors: kNoDevice; kCorrupt (it is not the manifest's).
  Result<ov::CompiledModel> wait_for(size_t graph) {
    prepare(graph);
    try {
      const ov::CompiledModel& model = compiled_[graph].model.get();
      const Status same = check_ports(model, graphs_[graph], bundle_.manifest());
      if (!same) return Failure{same.error()};
      return model;
    } catch (const std::exception& thrown) {
      return fail(Code::kNoDevice,
                  "compile " + graphs_[graph].file + " for " + device_ + ": " + words_of(thrown));
    }
  }

  Result<Binding> bind(size_t graph, const StepBuffers& buffers) override {
    const auto begin = std::chrono::steady_clock::now();
    Result<ov::CompiledModel> compiled = wait_for(graph);
    waited_ += std::chrono::steady_clock::now() - begin;
    if (!compiled) return Failure{compiled.error()};
    try {
      bound_.push_back(
          {.graph = graph, .buffers = buffers, .request = compiled->create_infer_request()});
    } catch (const std::exception& thrown) {
      return fail(Code::kNoDevice,
                  "bind " + graphs_[graph].file + " on " + device_ + ": " + words_of(thrown));
    }
    const auto binding = static_cast<Binding>(bound_.size() - 1);
    const GraphInfo& info = graphs_[graph];
    if (info.is_static()) {
      const Status set = set_tensors(bound_.back(), {.width = info.width, .past = info.past});
      if (!set) return Failure{set.error()};
    }
    return binding;
  }

  Status step(Binding binding, StepSize size) override {
    OVENBIRD_CHECK(binding < bound_.size());
    Bound& bound = bound_[binding];
    if (Status set = set_tensors(bound, size); !set) return set;
    // Devices pack weights of their own when a graph is compiled or first runs; what they read them
    // from need not stay in memory.
    const bool is_first = std::exchange(bound.is_new, false);
    try {
      bound.request.infer();
    } catch (const std::exception& thrown) {
      return fail(Code::kDeviceLost,
                  "step " + graphs_[bound.graph].file + " on " + device_ + ": " + words_of(thrown));
    }
    if (is_first) {
      // Where a graph is just being compiled, that drops them when it is done.
      const std::unique_lock lock(mapping_mutex(), std::try_to_lock);
      if (lock) drop_resident_pages(bundle_.directory());
    }
    return ok();
  }

 private:
  void let_go(size_t graph) {
    Compiled& compiled = compiled_[graph];
    if (compiled.model.valid()) compiled.model.wait();  // it wants the lock itself
    const std::lock_guard lock(mapping_mutex());
    for (Bound& bound : bound_) {
      if (bound.graph == graph) bound.request = {};
    }
    compiled.model = {};  // may read from the blob
    compiled.blob.reset();
  }

  struct Bound {
    size_t graph = 0;
    StepBuffers buffers;
    ov::InferRequest request;
    std::optional<StepSize> set_for;  // the sizes that the request's tensors have
    bool is_new = true;               // has not run yet
  };

  /// Everything that a blob depends on.
  std::string blob_key(const ov::AnyMap& properties, size_t graph) const {
    std::string key = std::string(ov::get_openvino_version().buildNumber) + "\n" + device_ + "\n" +
                      core().get_property(device_, ov::device::full_name) + "\n";
    for (const FileInfo& file : bundle_.manifest().files) {
      if (file.name == graphs_[graph].file || file.name == kWeightsName) key += file.sha256 + "\n";
    }
    for (const auto& [name, value] : properties) key += name + "=" + value.as<std::string>() + "\n";
    return key;
  }

  /// From the blob cache if it can be, else compiled and put there. Throws what OpenVINO throws.
  ov::CompiledModel load(size_t graph) {
    const std::lock_guard lock(mapping_mutex());
    ov::CompiledModel model = import_or_compile(graph);
    drop_resident_pages(bundle_.directory());
    return model;
  }

  ov::CompiledModel import_or_compile(size_t graph) {
    const std::string weights = bundle_.file(kWeightsName).string();
    ov::AnyMap properties = properties_for(device_, options_);
    const std::string key = blob_key(properties, graph);
    const BlobCache cache(bundle_.cache_directory());
    if (options_.blob_cache) {
      properties.insert(ov::cache_mode(ov::CacheMode::OPTIMIZE_SIZE));  // weights stay in the .bin
      if (std::optional<ov::CompiledModel> kept = import(cache, key, weights, properties, graph)) {
        return *kept;
      }
    }
    ov::CompiledModel compiled =
        core().compile_model(core().read_model(bundle_.file(graphs_[graph].file).string(), weights),
                             device_, properties);
    if (options_.blob_cache) {
      cache.store(key, [&](std::ostream& out) { compiled.export_model(out); });
    }
    return compiled;
  }

  std::optional<ov::CompiledModel> import(const BlobCache& cache, const std::string& key,
                                          const std::string& weights, ov::AnyMap properties,
                                          size_t graph) {
    std::optional<MappedFile>& kept = compiled_[graph].blob;
    kept = cache.find(key);
    if (!kept) return std::nullopt;
    const PageDropper dropper(*kept);
    properties.insert(ov::weights_path(weights));
    const std::span<const std::byte> bytes = kept->bytes();
    try {
      const ov::Tensor blob(ov::element::u8, {bytes.size()}, const_cast<std::byte*>(bytes.data()));
      return core().import_model(blob, device_, properties);
    } catch (const std::exception&) {  // a blob that cannot be used is made again
      cache.remove(key);
      return std::nullopt;
    }
  }

  /// Points the request at the bound memory, with the sizes of this step. A static graph does so
  /// once; an open one again whenever a size changes.
  Status set_tensors(Bound& bound, StepSize size) {
    const GraphInfo& graph = graphs_[bound.graph];
    const bool same =
        bound.set_for && bound.set_for->width == size.width && bound.set_for->past == size.past;
    if (same) return ok();
    const size_t width = size.width;
    const size_t past = size.past;
    OVENBIRD_CHECK(width <= bound.buffers.input_ids.size());
    OVENBIRD_CHECK(past + width <= bound.buffers.attention_mask.size());
    try {
      set_integers(bound, "input_ids", bound.buffers.input_ids, width);
      set_integers(bound, "attention_mask", bound.buffers.attention_mask, past + width);
      set_integers(bound, "position_ids", bound.buffers.position_ids, width);
      set_cache(bound, "past_key_values.", bound.buffers.past, past);
      set_cache(bound, "present.", bound.buffers.present, width);
      const size_t rows = graph.logit_rows == 0 ? width : std::min<size_t>(width, graph.logit_rows);
      OVENBIRD_CHECK(rows * bundle_.manifest().model.vocabulary <= bound.buffers.logits.size());
      set(bound, "logits",
          ov::Tensor(ov::element::f32, {1, rows, bundle_.manifest().model.vocabulary},
                     bound.buffers.logits.data()));
    } catch (const std::exception& thrown) {
      return fail(Code::kDeviceLost,
                  "bind memory of " + graph.file + " on " + device_ + ": " + words_of(thrown));
    }
    bound.set_for = size;
    return ok();
  }

  void set_integers(Bound& bound, const char* name, std::span<int64_t> numbers, size_t count) {
    set(bound, name, ov::Tensor(ov::element::i64, {1, count}, numbers.data()));
  }

  void set_cache(Bound& bound, const std::string& prefix, const std::vector<std::byte*>& memory,
                 size_t rows) {
    const ModelFacts& model = bundle_.manifest().model;
    const ov::element::Type type =
        bundle_.manifest().cache_type == CacheType::kF16 ? ov::element::f16 : ov::element::f32;
    for (size_t index = 0; index < memory.size(); ++index) {
      const std::string name =
          prefix + std::to_string(index / 2) + (index % 2 == 0 ? ".key" : ".value");
      set(bound, name, ov::Tensor(type, {1, model.kv_heads, rows, model.head_dim}, memory[index]));
    }
  }

  void set(Bound& bound, const std::string& name, const ov::Tensor& tensor) {
    bound.request.set_tensor(name, tensor);
  }

  /// A graph's compiled form, or its making; the model may read from the blob it came from.
  struct Compiled {
    std::optional<MappedFile> blob;
    std::shared_future<ov::CompiledModel> model;
  };

  const Bundle bundle_;
  const EngineOptions options_;
  const std::string device_;
  const std::vector<GraphInfo> graphs_;
  std::vector<Compiled> compiled_;
  std::vector<Bound> bound_;
  std::chrono::nanoseconds waited_{0};
};

}  // namespace

std::string why_not_offered(const std::string& device) {
  try {
    if (offers(device)) return "";
  } catch (const std::exception& thrown) {
    return words_of(thrown);
  }
  if (device == "NPU") return why_no_npu();
  return "OpenVINO finds no " + device + " in this machine";
}

Result<std::unique_ptr<Engine>> open_openvino_engine(const Bundle& bundle,
                                                     const EngineOptions& options,
                                                     const std::string& device,
                                                     std::vector<GraphInfo> graphs) {
  auto engine = std::make_unique<OpenVinoEngine>(bundle, options, device, std::move(graphs));
  if (Result<ov::CompiledModel> first = engine->wait_for(0); !first) return Failure{first.error()};
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace ovenbird
