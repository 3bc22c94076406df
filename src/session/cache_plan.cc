// Which graph takes the next tokens, and what happens to the cache around it.
#include "session/cache_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace ovenbird {
namespace {

// Steps of up to so many rows decode an answer; wider ones read a prompt.
constexpr uint32_t kAnswerWidth = 8;

constexpr uint32_t kSinks = 4;  // rows at the front that are never dropped (Xiao et al.)
// A graph of open width keeps every layer's intermediate rows in memory at once. The one that a
// lean engine uses for everything is therefore fed narrow chunks.
constexpr uint32_t kLeanChunk = 32;

/// Tokens that one step of this graph takes at most.
uint32_t widest_step(const BoundGraph& graph, LogitRows wanted) {
  const GraphInfo& info = graph.info();
  uint32_t width = info.width;
  if (info.open_width) width = width ? std::min(width, kLeanChunk) : BoundGraph::kOpenWidthMax;
  return wanted == LogitRows::kAll ? graph.logit_rows(width) : width;
}

/// Time of a step that computes `rows` rows, in units of the smallest step. Measured: widths 1, 8
/// and 128 take 1 : 1.5 : 8 on a CPU; on an NPU wide steps are cheaper still.
double step_time(const GraphInfo& graph, uint32_t rows) {
  double time = 1.0 + (graph.open_width ? rows : graph.width) / 16.0;
  if (graph.open_width) time *= 1.3;  // shapes are inferred again, fewer operations are fused
  if (!graph.open_past) time *= 1.0 + graph.past / 16384.0;  // all of it is read, seen or not
  return time;
}

/// Time for `tokens`, in as many steps as it takes.
double time_of(const BoundGraph& graph, uint32_t tokens, LogitRows wanted) {
  const uint32_t width = std::min(tokens, widest_step(graph, wanted));
  return std::ceil(double(tokens) / width) * step_time(graph.info(), width);
}

/// Past rows that a graph can read.
uint32_t past_limit(const GraphInfo& graph) {
  const bool unbounded = graph.open_past && graph.past == 0;
  return unbounded ? std::numeric_limits<uint32_t>::max() : graph.past;
}

}  // namespace

Result<std::unique_ptr<CachePlan>> CachePlan::create(Engine& engine, const Manifest& manifest,
                                                     const std::vector<size_t>& graphs) {
  OVENBIRD_CHECK(!graphs.empty());
  uint32_t past_max = 0;
  uint32_t fixed_past_max = 0;
  for (const size_t graph : graphs) {
    const GraphInfo& info = engine.graphs()[graph];
    past_max = std::max(past_max, past_limit(info));
    if (!info.open_past) fixed_past_max = std::max(fixed_past_max, info.past);
  }
  // Beyond what the model was trained on, positions mean nothing to it. Graphs of a longer fixed
  // past read that past all the same.
  const uint32_t rows_max = std::min(past_max, manifest.model.context);
  Result<CacheSlot> slot =
      CacheSlot::create(manifest, std::max(rows_max, fixed_past_max), engine.pages());
  if (!slot) return Failure{slot.error()};
  return std::unique_ptr<CachePlan>(
      new CachePlan(engine, manifest, graphs, std::move(*slot), rows_max));
}

CachePlan::CachePlan(Engine& engine, const Manifest& manifest, const std::vector<size_t>& graphs,
                     CacheSlot slot, uint32_t rows_max)
    : slot_(std::move(slot)), rows_max_(rows_max) {
  for (const size_t graph : graphs) {
    graphs_.push_back(std::make_unique<BoundGraph>(engine, manifest, graph));
  }
}

uint32_t CachePlan::sinks() const { return std::min(kSinks, rows_max_ / 4); }

uint32_t CachePlan::rows_dropped_at_once() const { return std::max((rows_max_ - sinks()) / 2, 1u); }

uint32_t CachePlan::chunk(uint32_t tokens, LogitRows wanted) const {
  // A step may end where the cache is full, never go beyond: so what is dropped when depends on the
  // tokens alone, not on how they are cut into steps, and drafts change nothing.
  const uint32_t free = rows_max_ - slot_.rows();
  const uint32_t fitting = std::min(tokens, free > 0 ? free : rows_dropped_at_once());
  return std::min(fitting, widest_step(choose(fitting, wanted, Steps::kMany), wanted));
}

/// The graph that takes the next `tokens` in the least time.
BoundGraph& CachePlan::choose(uint32_t tokens, LogitRows wanted, Steps steps) const {
  const bool will_drop = slot_.rows() + tokens > rows_max_;  // how many rows stay is not known yet
  BoundGraph* best = nullptr;
  double best_time = std::numeric_limits<double>::infinity();
  for (const auto& graph : graphs_) {
    const GraphInfo& info = graph->info();
    const uint32_t width = std::min(tokens, widest_step(*graph, wanted));
    if (steps == Steps::kOne && width < tokens) continue;
    // The new rows go into the same cache, of which a fixed past is all.
    const uint32_t rows = slot_.rows() + (info.open_past ? 0 : width);
    if (past_limit(info) < (will_drop ? rows_max_ : rows)) continue;
    if (!info.open_past && info.past < past_expected_) continue;  // has been given back
    const double time = time_of(*graph, tokens, wanted);
    if (time < best_time) {
      best_time = time;
      best = graph.get();
    }
  }
  OVENBIRD_CHECK(best);
  return *best;
}

double CachePlan::relative_cost(uint32_t tokens) const {
  return time_of(choose(tokens, LogitRows::kAll, Steps::kMany), tokens, LogitRows::kAll) /
         time_of(choose(1, LogitRows::kLast, Steps::kOne), 1, LogitRows::kLast);
}

void CachePlan::make_room() {
  if (slot_.rows() < rows_max_) return;
  slot_.drop(sinks(), rows_dropped_at_once());
  dropped_ += rows_dropped_at_once();
}

/// Rows to lay the cache out for, for graphs of open past: few enough that little is read in vain,
/// steps large enough that rows are rarely moved.
uint32_t CachePlan::next_capacity(uint32_t rows) const {
  const uint32_t step = rows <= 512 ? 128 : rows <= 4096 ? 512 : 2048;
  return std::min((rows + step - 1) / step * step, rows_max_);
}

/// Lays the cache out for a graph; gives the past rows that it is to read.
uint32_t CachePlan::lay_out_for(const GraphInfo& graph) {
  if (!graph.open_past) {
    slot_.set_capacity(graph.past);
    return graph.past;
  }
  if (slot_.rows() == 0) return 0;
  // A longer conversation, or a graph of fixed past, may have left it laid out for far more.
  const uint32_t wanted = std::min(next_capacity(slot_.rows()), past_limit(graph));
  if (slot_.capacity() > std::min(2 * wanted, past_limit(graph))) slot_.set_capacity(wanted);
  return slot_.capacity();
}

Result<Logits> CachePlan::step(std::span<const int32_t> tokens, LogitRows wanted) {
  const auto count = static_cast<uint32_t>(tokens.size());
  OVENBIRD_CHECK(count > 0 && count <= chunk(count, wanted));
  make_room();
  BoundGraph& graph = choose(count, wanted, Steps::kOne);
  const uint32_t past = lay_out_for(graph.info());
  stepped_ = nullptr;
  const Result<Logits> logits = graph.run(
      {.tokens = tokens, .first_position = slot_.rows(), .seen = slot_.rows(), .past = past},
      slot_.stack(), slot_.rows_max());
  if (!logits) return logits;
  stepped_ = &graph;
  if (wanted == LogitRows::kAll) return logits;
  return Logits{.values = logits->values.last(logits->vocabulary),
                .rows = 1,
                .vocabulary = logits->vocabulary};
}

void CachePlan::commit(uint32_t count) {
  OVENBIRD_CHECK(stepped_ && stepped_->first_row() + count <= stepped_->step_width());
  const uint32_t past_before = shortest_past(slot_.rows());
  const uint32_t rows = slot_.rows() + count;
  if (rows > slot_.capacity()) slot_.set_capacity(next_capacity(rows));
  slot_.append(stepped_->present(), stepped_->step_width(), stepped_->first_row(), count);
  const bool answering = stepped_->step_width() <= kAnswerWidth;
  stepped_ = nullptr;
  if (!answering) return;  // a compile beside a prefill would take processors from the first token
  const uint32_t past = shortest_past(rows);
  if (past != past_before) expect(tokens());
  // While an answer grows, the graphs of the next longer past are made before they are needed.
  if (rows > past / 4 * 3) prepare_graphs(shortest_past(past));
}

/// The shortest fixed past with room behind `rows` rows; the longest if there is none. Also if rows
/// have been dropped: they will soon be as many again, and going back and forth would cost more.
uint32_t CachePlan::shortest_past(uint32_t rows) const {
  uint32_t longest = 0;
  uint32_t shortest = 0;
  for (const auto& graph : graphs_) {
    const GraphInfo& info = graph->info();
    if (info.open_past) continue;
    longest = std::max(longest, info.past);
    if (info.past > rows && (shortest == 0 || info.past < shortest)) shortest = info.past;
  }
  return shortest && dropped_ == 0 ? shortest : longest;
}

void CachePlan::prepare_graphs(uint32_t past) {
  for (const auto& graph : graphs_) {
    if (!graph->info().open_past && graph->info().past == past) graph->prepare();
  }
}

/// Graphs whose past has become too short are given back first, then those with room are made: two
/// sets of packed weights at once would be the peak of the process's memory.
void CachePlan::expect(uint64_t tokens) {
  const uint64_t rows = std::min<uint64_t>(tokens - std::min(tokens, dropped_), rows_max_);
  past_expected_ = shortest_past(static_cast<uint32_t>(rows));
  for (const auto& graph : graphs_) {
    if (!graph->info().open_past && graph->info().past < past_expected_) graph->release();
  }
  prepare_graphs(past_expected_);
}

uint64_t CachePlan::keep(uint64_t count) {
  OVENBIRD_CHECK(count <= tokens());
  stepped_ = nullptr;
  // After a drop, rows stand for the sinks' tokens and for those after the gap.
  const bool has_gap = dropped_ > 0 && count < dropped_ + sinks();
  if (has_gap) {
    count = 0;
    dropped_ = 0;
  }
  slot_.truncate(static_cast<uint32_t>(count - dropped_));
  return count;
}

}  // namespace ovenbird
