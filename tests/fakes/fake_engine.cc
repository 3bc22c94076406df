// What a strict device checks, and a step of the toy model.
#include "fakes/fake_engine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/page_memory.h"

namespace ovenbird {
namespace {

constexpr int32_t kNobody = -1;             // no token is seen at this position
constexpr size_t kStepsReserved = 1 << 16;  // tests count what the loop under test allocates

bool is_page_aligned(const void* memory) {
  return reinterpret_cast<uintptr_t>(memory) % round_up_to_page(1) == 0;
}

uint32_t rows_of_logits(const GraphInfo& graph, uint32_t width) {
  return graph.logit_rows == 0 ? width : std::min(width, graph.logit_rows);
}

bool reads_cache(const GraphInfo& graph) { return graph.past > 0 || graph.open_past; }

}  // namespace

FakeEngine::FakeEngine(const Manifest& manifest, std::vector<GraphInfo> graphs)
    : manifest_(manifest),
      graphs_(std::move(graphs)),
      model_(manifest),
      held_(graphs_.size(), false) {
  sequence_.reserve(ToyModel::kPositionsMax);
  steps_.reserve(kStepsReserved);
}

void FakeEngine::note_fault(const std::string& words) {
  faults_.push_back("step " + std::to_string(steps_.size()) + ": " + words);
}

bool FakeEngine::comes_due(std::optional<uint64_t>& calls_left) {
  if (!calls_left) return false;
  if ((*calls_left)-- > 0) return false;
  calls_left.reset();
  return true;
}

void FakeEngine::prepare(size_t graph) {
  OVENBIRD_CHECK(graph < graphs_.size());
  held_[graph] = true;
}

void FakeEngine::release(size_t graph) {
  OVENBIRD_CHECK(graph < graphs_.size());
  held_[graph] = false;
  for (Bound& bound : bound_) {
    if (bound.graph == graph) bound.is_released = true;
  }
}

void FakeEngine::unbind(Binding binding) {
  OVENBIRD_CHECK(binding < bound_.size());
  bound_[binding].is_released = true;
}

Result<Engine::Binding> FakeEngine::bind(size_t graph, const StepBuffers& buffers) {
  OVENBIRD_CHECK(graph < graphs_.size());
  ++bind_calls_;
  if (comes_due(calls_until_failure_)) {
    return fail(Code::kCompileFailed, "compile " + graphs_[graph].file + ": told to fail");
  }
  held_[graph] = true;
  check_buffers(graphs_[graph], buffers);
  bound_.push_back({.graph = graph, .buffers = buffers});
  return static_cast<Binding>(bound_.size() - 1);
}

void FakeEngine::check_buffers(const GraphInfo& graph, const StepBuffers& buffers) {
  const size_t width = buffers.input_ids.size();
  if (width == 0 || (graph.width != 0 && width != graph.width)) note_fault("input_ids is not [W]");
  if (buffers.position_ids.size() != width) note_fault("position_ids is not [W]");
  const size_t columns = buffers.attention_mask.size();
  const size_t columns_wanted = graph.past + width;
  if (!graph.open_past && columns != columns_wanted) note_fault("attention_mask is not [P + W]");
  const size_t logits = size_t{rows_of_logits(graph, uint32_t(width))} * model_.vocabulary();
  if (buffers.logits.size() != logits) note_fault("logits is not [rows, vocabulary]");
  const size_t tensors = 2 * size_t{manifest_.model.layers};
  const size_t row_bytes =
      size_t{manifest_.model.kv_heads} * manifest_.model.head_dim * bytes_of(manifest_.cache_type);
  check_stack(buffers.past, reads_cache(graph) ? tensors : 0, (columns - width) * row_bytes);
  check_stack(buffers.present, tensors, width * row_bytes);
  const std::array<const void*, 6> starts = {
      buffers.input_ids.data(), buffers.position_ids.data(), buffers.attention_mask.data(),
      buffers.logits.data(),    buffers.past.pages.data(),   buffers.present.pages.data()};
  if (!std::ranges::all_of(starts, is_page_aligned)) note_fault("memory is not page-aligned");
}

void FakeEngine::check_stack(const TensorStack& stack, size_t count, size_t tensor_bytes) {
  if (stack.tensors.size() != count) return note_fault("past or present lacks tensors");
  if (stack.pages.size() % round_up_to_page(1) != 0) note_fault("a stack is not whole pages");
  if (count == 0) return;
  const std::byte* end = stack.pages.data() + stack.pages.size();
  const size_t spacing = static_cast<size_t>(stack.tensors[1] - stack.tensors[0]);
  if (spacing < tensor_bytes) note_fault("tensors of a stack overlap");
  for (size_t index = 0; index < count; ++index) {
    const std::byte* tensor = stack.tensors[index];
    if (tensor != stack.pages.data() + index * spacing || tensor + tensor_bytes > end) {
      note_fault("tensor " + std::to_string(index) + " is not at its place in the stack");
    }
  }
}

Status FakeEngine::step(Binding binding, StepSize size) {
  OVENBIRD_CHECK(binding < bound_.size());
  const Bound& bound = bound_[binding];
  if (bound.is_released) note_fault("the binding has been released");
  if (bound.is_released || !check_size(graphs_[bound.graph], bound.buffers, size)) {
    return fail(Code::kDeviceLost, faults_.back());
  }
  const auto past = bound.buffers.attention_mask.first(size.past);
  const auto rows = bound.buffers.attention_mask.subspan(size.past, size.width);
  steps_.push_back({.graph = bound.graph,
                    .width = size.width,
                    .past = size.past,
                    .seen = static_cast<uint32_t>(std::ranges::count(past, 1)),
                    .tokens = static_cast<uint32_t>(std::ranges::count(rows, 1))});
  fill_outputs_with_nan(bound, size);
  if (comes_due(calls_until_failure_)) return fail(Code::kDeviceLost, "step: told to fail");
  if (!check_inputs(bound, size)) return fail(Code::kDeviceLost, faults_.back());
  read_past(bound, size);
  compute(bound, size);
  if (comes_due(calls_until_spoilt_)) {
    std::ranges::fill(bound.buffers.logits, std::numeric_limits<float>::quiet_NaN());
  }
  return ok();
}

bool FakeEngine::check_size(const GraphInfo& graph, const StepBuffers& buffers, StepSize size) {
  const bool is_width_right = graph.open_width
                                  ? size.width >= 1 && size.width <= buffers.input_ids.size()
                                  : size.width == graph.width;
  const bool is_past_right =
      graph.open_past ? graph.past == 0 || size.past <= graph.past : size.past == graph.past;
  const bool is_mask_right = size_t{size.past} + size.width <= buffers.attention_mask.size();
  if (is_width_right && is_past_right && is_mask_right) return true;
  note_fault(graph.file + " runs with width " + std::to_string(size.width) + ", past " +
             std::to_string(size.past));
  return false;
}

bool FakeEngine::check_inputs(const Bound& bound, StepSize size) {
  const size_t faults_before = faults_.size();
  const StepBuffers& in = bound.buffers;
  for (const int64_t id : in.input_ids.first(size.width)) {
    if (id < 0 || id >= model_.vocabulary()) note_fault("id " + std::to_string(id));
  }
  for (const int64_t position : in.position_ids.first(size.width)) {
    if (position < 0 || position >= manifest_.model.context) {
      note_fault("position " + std::to_string(position));
    }
  }
  for (const int64_t shown : in.attention_mask.first(size.past + size.width)) {
    if (shown != 0 && shown != 1) note_fault("mask value " + std::to_string(shown));
  }
  if (in.attention_mask[size.past + size.width - 1] != 1) note_fault("the newest row is hidden");
  return faults_.size() == faults_before;
}

/// Notes who stands where among the past rows that the mask shows.
void FakeEngine::read_past(const Bound& bound, StepSize size) {
  sequence_.assign(manifest_.model.context, kNobody);
  for (uint32_t row = 0; row < size.past; ++row) {
    if (bound.buffers.attention_mask[row] == 0) continue;
    const ToyRow read = model_.read_row(bound.buffers.past.tensors, size.past, row);
    if (!read.is_sound) {
      note_fault("past row " + std::to_string(row) + " is none that the model has put out");
    } else {
      take_position(read.token, read.position);
    }
  }
}

void FakeEngine::take_position(int32_t token, size_t position) {
  if (sequence_[position] != kNobody) {
    note_fault("two rows stand at position " + std::to_string(position));
  }
  sequence_[position] = token;
}

void FakeEngine::compute(const Bound& bound, StepSize size) {
  const StepBuffers& io = bound.buffers;
  const uint32_t logit_rows = rows_of_logits(graphs_[bound.graph], size.width);
  for (uint32_t row = 0; row < size.width; ++row) {
    if (io.attention_mask[size.past + row] == 0) continue;
    const auto token = static_cast<int32_t>(io.input_ids[row]);
    const auto position = static_cast<uint32_t>(io.position_ids[row]);
    take_position(token, position);
    model_.write_row(io.present.tensors, size.width, row, token, position);
    if (row + logit_rows < size.width) continue;
    if (!is_newest(position)) {
      note_fault("the tokens before position " + std::to_string(position) + " are not all seen");
      continue;
    }
    const size_t vocabulary = model_.vocabulary();
    const size_t first = (row + logit_rows - size.width) * vocabulary;
    model_.write_logits(std::span(sequence_).first(position + 1),
                        io.logits.subspan(first, vocabulary));
  }
}

/// Whether all positions up to this one are taken, and none behind it.
bool FakeEngine::is_newest(uint32_t position) const {
  const auto gap = std::ranges::find(sequence_, kNobody);
  return gap - sequence_.begin() == ptrdiff_t{position} + 1 &&
         std::all_of(gap, sequence_.end(), [](int32_t token) { return token == kNobody; });
}

void FakeEngine::fill_outputs_with_nan(const Bound& bound, StepSize size) const {
  std::ranges::fill(bound.buffers.logits, std::numeric_limits<float>::quiet_NaN());
  const size_t bytes = size_t{manifest_.model.kv_heads} * size.width * manifest_.model.head_dim *
                       bytes_of(manifest_.cache_type);
  for (std::byte* tensor : bound.buffers.present.tensors)
    std::memset(tensor, 0xff, bytes);  // NaN too
}

uint64_t FakeEngine::tokens_given() const {
  uint64_t tokens = 0;
  for (const Step& step : steps_) tokens += step.tokens;
  return tokens;
}

}  // namespace ovenbird
