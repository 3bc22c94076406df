// An engine without a device: runs the toy model on what it is really given, and trusts nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bundle/manifest.h"
#include "engine/engine.h"
#include "fakes/toy_model.h"

namespace ovenbird {

/// Computes a step from the ids, positions, mask and past rows alone, so that any error in these
/// changes the text. What a strict device would refuse, or a real model would silently compute
/// nonsense from, is noted in faults(). Rows that a mask hides are not read, and what comes out for
/// them is not a number; the same stands in all outputs of a step that fails.
class FakeEngine : public Engine {
 public:
  /// `manifest` must outlive it.
  FakeEngine(const Manifest& manifest, std::vector<GraphInfo> graphs);

  const std::string& device() const override { return device_; }
  const std::vector<GraphInfo>& graphs() const override { return graphs_; }
  std::chrono::nanoseconds waited() const override { return {}; }
  Pages pages() const override { return Pages::kPrivate; }
  void prepare(size_t graph) override;
  void release(size_t graph) override;
  Result<Binding> bind(size_t graph, const StepBuffers& buffers) override;
  void unbind(Binding binding) override;
  Status step(Binding binding, StepSize size) override;

  /// One line for each thing that was wrong in what was asked.
  const std::vector<std::string>& faults() const { return faults_; }

  /// The steps so far, those that failed included.
  struct Step {
    size_t graph = 0;
    uint32_t width = 0;
    uint32_t past = 0;
    uint32_t seen = 0;    // past rows that the mask shows
    uint32_t tokens = 0;  // new rows that the mask shows
  };
  const std::vector<Step>& steps() const { return steps_; }
  uint64_t tokens_given() const;  // of all steps together

  /// Whether a graph is compiled, or being compiled.
  bool is_held(size_t graph) const { return held_[graph]; }
  uint32_t bind_calls() const { return bind_calls_; }

  /// The call of bind() or step() after `calls` more fails, once.
  void fail_after(uint64_t calls) { calls_until_failure_ = calls; }
  /// The same, but the step says it is done, and its logits are not numbers.
  void spoil_logits_after(uint64_t calls) { calls_until_spoilt_ = calls; }
  bool has_pending_fault() const { return calls_until_failure_ || calls_until_spoilt_; }

 private:
  struct Bound {
    size_t graph = 0;
    StepBuffers buffers;
    bool is_released = false;
  };

  void note_fault(const std::string& words);
  void check_buffers(const GraphInfo& graph, const StepBuffers& buffers);
  void check_stack(const TensorStack& stack, size_t count, size_t tensor_bytes);
  bool check_size(const GraphInfo& graph, const StepBuffers& buffers, StepSize size);
  bool check_inputs(const Bound& bound, StepSize size);
  void read_past(const Bound& bound, StepSize size);
  void take_position(int32_t token, size_t position);
  void compute(const Bound& bound, StepSize size);
  bool is_newest(uint32_t position) const;
  void fill_outputs_with_nan(const Bound& bound, StepSize size) const;
  static bool comes_due(std::optional<uint64_t>& calls_left);

  const Manifest& manifest_;
  const std::string device_ = "FAKE";
  const std::vector<GraphInfo> graphs_;
  const ToyModel model_;
  std::vector<bool> held_;
  std::vector<Bound> bound_;
  std::vector<int32_t> sequence_;  // scratch: which token is seen at which position
  std::vector<Step> steps_;
  std::vector<std::string> faults_;
  uint32_t bind_calls_ = 0;
  std::optional<uint64_t> calls_until_failure_;
  std::optional<uint64_t> calls_until_spoilt_;
};

}  // namespace ovenbird
