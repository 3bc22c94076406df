// Runs compiled step graphs on bound memory.
#include "engine/openvino_engine.h"

#include <malloc.h>

#include <algorithm>
#include <future>
#include <optional>

#include "base/check.h"
#include "base/resident_pages.h"
#include "engine/device_tensors.h"
#include "engine/graph_loader.h"
#include "engine/logits_check.h"
#include "engine/npu_probe.h"
#include "engine/openvino_core.h"
#include "engine/port_check.h"

namespace ovenbird {
namespace {

class OpenVinoEngine : public Engine {
 public:
  /// Throws what OpenVINO throws.
  OpenVinoEngine(const Bundle& bundle, const EngineOptions& options, std::string device,
                 std::vector<GraphInfo> graphs)
      : bundle_(bundle),
        device_(std::move(device)),
        graphs_(std::move(graphs)),
        loader_(bundle_, options, device_),
        compiled_(graphs_.size()),
        host_tensors_(host_tensors()) {
    if (device_ == "NPU") import_or_note();
  }

  ~OpenVinoEngine() override {
    for (size_t graph = 0; graph < compiled_.size(); ++graph) let_go(graph);
  }

  const std::string& device() const override { return device_; }
  const std::vector<GraphInfo>& graphs() const override { return graphs_; }
  std::chrono::nanoseconds waited() const override { return waited_; }

  std::vector<std::string> notes() const override {
    std::vector<std::string> notes = loader_.notes();
    if (!import_note_.empty()) notes.push_back(import_note_);
    return notes;
  }

  void prepare(size_t graph) override {
    OVENBIRD_CHECK(graph < graphs_.size());
    if (compiled_[graph].valid()) return;
    compiled_[graph] = std::async(std::launch::async, [this, graph] {
                         auto made = std::make_shared<LoadedGraph>(loader_.load(graphs_[graph]));
                         ::malloc_trim(0);  // compiling frees as much as it keeps
                         return made;
                       }).share();
  }

  void release(size_t graph) override {
    OVENBIRD_CHECK(graph < graphs_.size());
    let_go(graph);
    ::malloc_trim(0);  // a compiled graph is a hundred thousand small blocks and its weights
  }

  /// Waits until a graph is compiled. Errors: kCompileFailed, kOutOfMemory, kDeviceLost; kCorrupt
  /// (it is not the manifest's).
  Result<std::shared_ptr<LoadedGraph>> wait_for(size_t graph) {
    prepare(graph);
    try {
      const std::shared_ptr<LoadedGraph>& loaded = compiled_[graph].get();
      const Status same = check_ports(loaded->model, graphs_[graph], bundle_.manifest());
      if (!same) return Failure{same.error()};
      return loaded;
    } catch (const std::exception& thrown) {
      return failure("compile", "for", graph, thrown, Code::kCompileFailed);
    }
  }

  Result<Binding> bind(size_t graph, const StepBuffers& buffers) override {
    const auto begin = std::chrono::steady_clock::now();
    const Result<std::shared_ptr<LoadedGraph>> loaded = wait_for(graph);
    waited_ += std::chrono::steady_clock::now() - begin;
    if (!loaded) return Failure{loaded.error()};
    Bound bound{
        .graph = graph,
        .buffers = buffers,
        .tensors = imported_ && !(*loaded)->is_folded ? imported_.get() : host_tensors_.get()};
    try {
      bound.request = (*loaded)->model.create_infer_request();
      const GraphInfo& info = graphs_[graph];
      if (info.is_static()) set_tensors(bound, {.width = info.width, .past = info.past});
    } catch (const std::exception& thrown) {
      return failure("bind memory of", "on", graph, thrown, Code::kCompileFailed);
    }
    const auto free = std::find_if(bound_.begin(), bound_.end(),
                                   [](const Bound& other) { return !other.request; });
    if (free == bound_.end()) {
      bound_.push_back(std::move(bound));
      return static_cast<Binding>(bound_.size() - 1);
    }
    *free = std::move(bound);
    return static_cast<Binding>(free - bound_.begin());
  }

  void unbind(Binding binding) override {
    OVENBIRD_CHECK(binding < bound_.size());
    const std::lock_guard lock(mapping_mutex());
    bound_[binding] = {};
  }

  Status step(Binding binding, StepSize size) override {
    OVENBIRD_CHECK(binding < bound_.size());
    Bound& bound = bound_[binding];
    if (!bound.request) return fail(Code::kInternal, "step: the binding has been given back");
    // Devices pack weights of their own when a graph is compiled or first runs; what they read them
    // from need not stay in memory.
    const bool is_first = std::exchange(bound.is_new, false);
    try {
      set_tensors(bound, size);
      bound.request.infer();
    } catch (const std::exception& thrown) {
      return failure("step", "on", bound.graph, thrown, Code::kDeviceLost);
    }
    if (is_first) {
      // Where a graph is just being compiled, that drops them when it is done.
      const std::unique_lock lock(mapping_mutex(), std::try_to_lock);
      if (lock) drop_resident_pages(bundle_.directory());
    }
    const size_t vocabulary = bundle_.manifest().model.vocabulary;
    const Status sound = check_logits(
        bound.buffers.logits.first(logit_rows(bound.graph, size) * vocabulary), vocabulary);
    if (sound) return ok();
    return fail_in("step " + graphs_[bound.graph].file + " on " + device_, sound.error());
  }

 private:
  /// A graph on memory.
  struct Bound {
    size_t graph = 0;
    StepBuffers buffers;
    DeviceTensors* tensors = nullptr;
    std::vector<std::shared_ptr<void>> imports;  // live as long as the request
    ov::InferRequest request;                    // empty: unbound
    std::optional<StepSize> set_for;             // the sizes that the request's tensors have
    bool is_new = true;                          // has not run yet
  };

  Failure failure(const char* what, const char* where, size_t graph, const std::exception& thrown,
                  Code otherwise) const {
    return fail(code_of(thrown, otherwise), std::string(what) + " " + graphs_[graph].file + " " +
                                                where + " " + device_ + ": " + words_of(thrown));
  }

  void import_or_note() {
    try {
      imported_ = imported_tensors();
    } catch (const std::exception& thrown) {
      import_note_ =
          "NPU: its driver imports no memory of ours, so that every step copies the "
          "whole cache; a newer kernel and driver do (" +
          words_of(thrown) + ")";
    }
  }

  void let_go(size_t graph) {
    if (compiled_[graph].valid()) compiled_[graph].wait();  // it wants the lock itself
    const std::lock_guard lock(mapping_mutex());
    for (Bound& bound : bound_) {
      if (bound.graph == graph) bound = {};
    }
    compiled_[graph] = {};
  }

  size_t logit_rows(size_t graph, StepSize size) const {
    const uint32_t rows = graphs_[graph].logit_rows;
    return rows == 0 ? size.width : std::min(size.width, rows);
  }

  /// Points the request at the bound memory, with the sizes of this step. A static graph does so
  /// once; an open one again whenever a size changes. Throws what OpenVINO throws.
  void set_tensors(Bound& bound, StepSize size) {
    const bool same =
        bound.set_for && bound.set_for->width == size.width && bound.set_for->past == size.past;
    if (same) return;
    const StepBuffers& buffers = bound.buffers;
    const size_t width = size.width;
    const size_t columns = size.past + width;
    OVENBIRD_CHECK(width <= buffers.input_ids.size());
    OVENBIRD_CHECK(columns <= buffers.attention_mask.size());
    bound.imports.clear();
    set(bound, "input_ids", buffers.input_ids.data(), ov::element::i64, {1, width});
    set(bound, "attention_mask", buffers.attention_mask.data(), ov::element::i64, {1, columns});
    set(bound, "position_ids", buffers.position_ids.data(), ov::element::i64, {1, width});
    set_stack(bound, "past_key_values.", buffers.past, size.past);
    set_stack(bound, "present.", buffers.present, width);
    const size_t rows = logit_rows(bound.graph, size);
    const size_t vocabulary = bundle_.manifest().model.vocabulary;
    OVENBIRD_CHECK(rows * vocabulary <= buffers.logits.size());
    set(bound, "logits", buffers.logits.data(), ov::element::f32, {1, rows, vocabulary});
    bound.set_for = size;
  }

  void set(Bound& bound, const std::string& name, void* start, ov::element::Type type,
           const ov::Shape& shape) {
    set(bound, name, bound.tensors->at(start, type, shape));
  }

  void set_stack(Bound& bound, const std::string& prefix, const TensorStack& stack, size_t rows) {
    const ModelFacts& model = bundle_.manifest().model;
    const ov::element::Type type =
        bundle_.manifest().cache_type == CacheType::kF16 ? ov::element::f16 : ov::element::f32;
    for (size_t index = 0; index < stack.tensors.size(); ++index) {
      const std::string name =
          prefix + std::to_string(index / 2) + (index % 2 == 0 ? ".key" : ".value");
      set(bound, name,
          bound.tensors->in(stack, index, type, {1, model.kv_heads, rows, model.head_dim}));
    }
  }

  void set(Bound& bound, const std::string& name, DeviceTensor tensor) {
    bound.request.set_tensor(name, tensor.tensor);
    if (tensor.import) bound.imports.push_back(std::move(tensor.import));
  }

  const Bundle bundle_;
  const std::string device_;
  const std::vector<GraphInfo> graphs_;
  GraphLoader loader_;
  std::vector<std::shared_future<std::shared_ptr<LoadedGraph>>> compiled_;
  std::unique_ptr<DeviceTensors> host_tensors_;
  std::unique_ptr<DeviceTensors> imported_;  // NPU only, where its driver imports memory
  std::string import_note_;
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
  try {
    auto engine = std::make_unique<OpenVinoEngine>(bundle, options, device, std::move(graphs));
    if (const auto first = engine->wait_for(0); !first) return Failure{first.error()};
    return std::unique_ptr<Engine>(std::move(engine));
  } catch (const std::exception& thrown) {
    return fail(code_of(thrown, Code::kNoDevice), "open " + device + ": " + words_of(thrown));
  }
}

}  // namespace ovenbird
