// Runs compiled step graphs on bound memory.
#include "engine/openvino_engine.h"

#include <malloc.h>

#include <algorithm>
#include <future>
#include <optional>
#include <set>

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
        on_note_(options.on_note),
        device_(std::move(device)),
        graphs_(std::move(graphs)),
        loader_(bundle_, options, device_),
        compiled_(graphs_.size()),
        host_tensors_(host_tensors()) {
    if (device_ == "NPU") open_imports();
  }

  ~OpenVinoEngine() override {
    for (size_t graph = 0; graph < compiled_.size(); ++graph) let_go(graph);
  }

  const std::string& device() const override { return device_; }
  const std::vector<GraphInfo>& graphs() const override { return graphs_; }
  std::chrono::nanoseconds waited() const override { return waited_; }

  Pages pages() const override { return device_ == "NPU" ? Pages::kShared : Pages::kPrivate; }

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
      tell(loader_.note());
      const Status same = check_ports(loaded->model, graphs_[graph], bundle_.manifest());
      if (!same) return Failure{same.error()};
      return loaded;
    } catch (const std::exception& thrown) {
      // Memory may be there at another try; what else went wrong would go wrong again.
      if (code_of(thrown, Code::kCompileFailed) == Code::kOutOfMemory) compiled_[graph] = {};
      return failure("compile", "for", graph, thrown, Code::kCompileFailed);
    }
  }

  Result<Binding> bind(size_t graph, const StepBuffers& buffers) override {
    const auto begin = std::chrono::steady_clock::now();
    const Result<std::shared_ptr<LoadedGraph>> loaded = wait_for(graph);
    waited_ += std::chrono::steady_clock::now() - begin;
    if (!loaded) return Failure{loaded.error()};
    Bound bound{.graph = graph, .buffers = buffers, .tensors = host_tensors_.get()};
    try {
      bound.request = (*loaded)->model.create_infer_request();
      if (graphs_[graph].is_static()) bind_static(bound, **loaded);
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
    const Code code = code_of(thrown, otherwise);
    return fail(code, std::string(what) + " " + graphs_[graph].file + " " + where + " " + device_ +
                          ": " + words_of(thrown) + remedy_of(code));
  }

  std::string remedy_of(Code code) const {
    if (code == Code::kOutOfMemory)
      return "; --recipe lean needs less memory, a shorter --context too";
    if (code == Code::kDeviceLost) return "; try again, or another --device";
    return "";
  }

  /// Tells a note once.
  void tell(const std::string& note) {
    if (note.empty() || !told_.insert(note).second) return;
    if (on_note_) on_note_(note);
  }

  void open_imports() {
    try {
      imported_ = imported_tensors();
    } catch (const std::exception& thrown) {
      tell_of_copies(thrown);
    }
  }

  void tell_of_copies(const std::exception& thrown) {
    const bool lacks_memory = code_of(thrown, Code::kInternal) == Code::kOutOfMemory;
    tell(lacks_memory
             ? "NPU: its driver has no memory to import ours, so that steps copy the cache; "
               "`ovenbird doctor " +
                   bundle_.directory().string() + "` says what limits it"
             : "NPU: its driver imports no memory of ours, so that steps copy the cache; a newer "
               "kernel and driver do (" +
                   words_of(thrown) + ")");
  }

  /// Binds for good, on an NPU to imported memory if that can be. A folded graph takes none.
  void bind_static(Bound& bound, LoadedGraph& loaded) {
    const GraphInfo& info = graphs_[bound.graph];
    const StepSize size{.width = info.width, .past = info.past};
    if (imported_ && !loaded.is_folded) {
      try {
        bound.tensors = imported_.get();
        return set_tensors(bound, size);
      } catch (const std::exception& thrown) {
        if (code_of(thrown, Code::kInternal) == Code::kDeviceLost) throw;
        tell_of_copies(thrown);
      }
      // Nothing may be left of what has been imported: plain tensors at those addresses would be
      // taken for it, and it is going.
      bound = {.graph = bound.graph, .buffers = bound.buffers, .tensors = host_tensors_.get()};
      bound.request = loaded.model.create_infer_request();
    }
    set_tensors(bound, size);
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
    const ov::Shape logits{1, rows, vocabulary};
    if (buffers.logits_pages.empty()) {
      set(bound, "logits", buffers.logits.data(), ov::element::f32, logits);
    } else {
      const auto pages = std::as_writable_bytes(buffers.logits_pages);
      set(bound, "logits", bound.tensors->front_of(pages, ov::element::f32, logits));
    }
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
  const std::function<void(const std::string&)> on_note_;
  const std::string device_;
  const std::vector<GraphInfo> graphs_;
  GraphLoader loader_;
  std::vector<std::shared_future<std::shared_ptr<LoadedGraph>>> compiled_;
  std::unique_ptr<DeviceTensors> host_tensors_;
  std::unique_ptr<DeviceTensors> imported_;  // NPU only, where its driver imports memory
  std::set<std::string> told_;
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
