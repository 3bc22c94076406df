// Filling a step's inputs: ids, positions, and who may be seen.
#include "session/bound_graph.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace ovenbird {
namespace {

/// Hands out page-aligned pieces of one allocation; first to count them, then to place them.
class Carver {
 public:
  explicit Carver(std::byte* start) : start_(start) {}

  std::byte* take(size_t bytes) {
    std::byte* piece = start_ + used_;
    used_ += round_up_to_page(bytes);
    return piece;
  }
  template <typename T>
  std::span<T> take_numbers(size_t count) {
    return {reinterpret_cast<T*>(take(count * sizeof(T))), count};
  }
  TensorStack take_stack(size_t count, size_t tensor_bytes) {
    const size_t before = used_;
    std::byte* start = take(count * tensor_bytes);
    return {{start, used_ - before}, count, tensor_bytes};
  }
  size_t used() const { return used_; }

 private:
  std::byte* start_;
  size_t used_ = 0;
};

}  // namespace

BoundGraph::BoundGraph(std::shared_ptr<SharedGraphs> graphs, const Manifest& manifest, size_t graph,
                       std::span<float> logits)
    : graphs_(std::move(graphs)), manifest_(manifest), graph_(graph), logits_(logits) {}

BoundGraph::~BoundGraph() {
  unbind();
  if (is_held_) graphs_->let_go(graph_);
}

void BoundGraph::hold() {
  if (!is_held_) graphs_->hold(graph_);
  is_held_ = true;
}

void BoundGraph::unbind() {
  if (binding_) graphs_->engine().unbind(*binding_);
  binding_.reset();
}

uint32_t BoundGraph::logit_rows(uint32_t width) const {
  return info().logit_rows == 0 ? width : std::min(width, info().logit_rows);
}

Status BoundGraph::bind(const TensorStack& past, uint32_t past_max) {
  const ModelFacts& model = manifest_.model;
  const uint32_t width = info().width ? info().width : kOpenWidthMax;
  const uint32_t past_rows = info().open_past ? past_max : info().past;
  const size_t present_bytes =
      size_t{model.kv_heads} * width * model.head_dim * bytes_of(manifest_.cache_type);
  const auto carve = [&](Carver carver) {
    buffers_.input_ids = carver.take_numbers<int64_t>(width);
    buffers_.attention_mask = carver.take_numbers<int64_t>(past_rows + width);
    buffers_.position_ids = carver.take_numbers<int64_t>(width);
    const size_t logits = size_t{logit_rows(width)} * model.vocabulary;
    buffers_.logits_pages = logits_;
    buffers_.logits = logits_.empty() ? carver.take_numbers<float>(logits) : logits_.first(logits);
    buffers_.present = carver.take_stack(2 * size_t{model.layers}, present_bytes);
    return carver.used();
  };
  Result<PageMemory> memory =
      PageMemory::allocate(carve(Carver(nullptr)), graphs_->engine().pages());
  if (!memory) return fail_in("bind " + info().file, memory.error());
  memory_ = std::move(*memory);
  carve(Carver(memory_.bytes().data()));
  buffers_.past = past;
  hold();
  const Result<Engine::Binding> binding = graphs_->engine().bind(graph_, buffers_);
  if (!binding) return Failure{binding.error()};
  binding_ = *binding;
  return ok();
}

void BoundGraph::fill_inputs(const Rows& rows) {
  const uint32_t padding = first_row_;
  std::fill_n(buffers_.input_ids.begin(), padding, 0);
  std::fill_n(buffers_.position_ids.begin(), padding, 0);
  for (uint32_t i = 0; i < rows.tokens.size(); ++i) {
    buffers_.input_ids[padding + i] = rows.tokens[i];
    buffers_.position_ids[padding + i] = rows.first_position + i;
  }
  // Columns: the past rows, then the new ones.
  auto column = buffers_.attention_mask.begin();
  column = std::fill_n(column, rows.seen, 1);
  column = std::fill_n(column, rows.past - rows.seen, 0);
  column = std::fill_n(column, padding, 0);
  std::fill_n(column, rows.tokens.size(), 1);
}

Result<Logits> BoundGraph::run(const Rows& rows, const TensorStack& past, uint32_t past_max) {
  OVENBIRD_CHECK(!rows.tokens.empty() && rows.seen <= rows.past);
  if (!binding_) {
    if (Status bound = bind(past, past_max); !bound) return Failure{bound.error()};
  }
  const auto count = static_cast<uint32_t>(rows.tokens.size());
  step_width_ = info().open_width ? count : info().width;
  OVENBIRD_CHECK(count <= step_width_);
  first_row_ = step_width_ - count;
  fill_inputs(rows);
  const Status done = graphs_->engine().step(*binding_, {.width = step_width_, .past = rows.past});
  if (!done) return Failure{done.error()};

  const uint32_t given = logit_rows(step_width_);
  const uint32_t useful = std::min(given, count);
  const uint32_t vocabulary = manifest_.model.vocabulary;
  return Logits{.values = buffers_.logits.subspan(size_t{given - useful} * vocabulary,
                                                  size_t{useful} * vocabulary),
                .rows = useful,
                .vocabulary = vocabulary};
}

void BoundGraph::prepare() {
  hold();
  graphs_->engine().prepare(graph_);
}

void BoundGraph::release() {
  if (!is_held_) return;
  unbind();
  is_held_ = false;
  graphs_->release(graph_);
  memory_ = PageMemory();
}

}  // namespace ovenbird
