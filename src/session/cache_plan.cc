// Which graph takes the next tokens, and what happens to the cache around it.
#include "session/cache_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace ovenbird {
namespace {

constexpr uint32_t kSinks = 4;        // rows at the front that are never dropped (Xiao et al.)
constexpr uint32_t kOpenChunk = 128;  // rows that a graph without a bound is given at most
// A graph of open width keeps every layer's intermediate rows in memory at once. The one that a lean
// engine uses for everything is therefore fed narrow chunks.
constexpr uint32_t kLeanChunk = 32;

uint32_t widest_step(const GraphInfo& graph) {
  if (!graph.open_width) return graph.width;
  return graph.width ? std::min(graph.width, kLeanChunk) : kOpenChunk;
}

/// Time of a step that computes `rows` rows, in units of the smallest step. Measured: widths 1, 8
/// and 128 take 1 : 1.5 : 8 on a CPU; on an NPU wide steps are cheaper still.
double step_cost(uint32_t rows) { return 1.0 + rows / 16.0; }

double cost_of(const GraphInfo& graph, uint32_t tokens) {
  if (!graph.open_width) return step_cost(graph.width);
  constexpr double kOpenPenalty = 1.3;  // shapes are inferred again, fewer operations are fused
  return kOpenPenalty * step_cost(tokens);
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
  uint32_t rows_max = 0;
  for (const size_t graph : graphs) {
    rows_max = std::max(rows_max, past_limit(engine.graphs()[graph]));
  }
  // Beyond what the model was trained on, positions mean nothing to it.
  Result<CacheSlot> slot =
      CacheSlot::create(manifest, std::min(rows_max, manifest.model.context));
  if (!slot) return Failure{slot.error()};
  return std::unique_ptr<CachePlan>(new CachePlan(engine, manifest, graphs, std::move(*slot)));
}

CachePlan::CachePlan(Engine& engine, const Manifest& manifest, const std::vector<size_t>& graphs,
                     CacheSlot slot)
    : engine_(engine), slot_(std::move(slot)) {
  for (const size_t graph : graphs) {
    graphs_.push_back(std::make_unique<BoundGraph>(engine, manifest, graph));
  }
}

uint32_t CachePlan::sinks() const { return std::min(kSinks, slot_.rows_max() / 4); }

uint32_t CachePlan::chunk(uint32_t tokens, LogitRows wanted) const {
  // What make_room() can provide at least: half a cache, or all that is still empty.
  const uint32_t free = slot_.rows_max() - slot_.rows();
  const uint32_t half = (slot_.rows_max() - sinks()) / 2;
  const uint32_t fitting = std::min(tokens, std::max({free, half, 1u}));
  const uint32_t rows = fitting <= free ? slot_.rows() : slot_.rows_max() - fitting;
  const BoundGraph* best = choose(fitting, wanted, rows);
  const GraphInfo& info = best->info();
  const uint32_t widest = wanted == LogitRows::kAll ? best->logit_rows(widest_step(info))
                                                    : widest_step(info);
  return std::min(fitting, widest);
}

/// The graph with the least time for `tokens` over `rows` rows of cache, in as many steps as it
/// takes.
const BoundGraph* CachePlan::choose(uint32_t tokens, LogitRows wanted, uint32_t rows) const {
  const BoundGraph* best = nullptr;
  double best_cost = std::numeric_limits<double>::infinity();
  for (const auto& graph : graphs_) {
    const GraphInfo& info = graph->info();
    if (past_limit(info) < rows + (info.open_past ? 0 : 1)) continue;
    uint32_t width = std::min(tokens, widest_step(info));
    if (wanted == LogitRows::kAll) width = std::min(width, graph->logit_rows(width));
    if (!info.open_past && rows + width > info.past) continue;  // no room for the new rows
    double cost = std::ceil(double(tokens) / width) * cost_of(info, width);
    // A static graph reads all its past rows, seen or not.
    if (!info.open_past) cost *= 1.0 + info.past / 16384.0;
    if (cost < best_cost) {
      best_cost = cost;
      best = graph.get();
    }
  }
  OVENBIRD_CHECK(best);
  return best;
}

BoundGraph* CachePlan::choose(uint32_t tokens, LogitRows wanted, uint32_t rows) {
  return const_cast<BoundGraph*>(std::as_const(*this).choose(tokens, wanted, rows));
}

double CachePlan::relative_cost(uint32_t tokens) const {
  const uint32_t rows = std::min(slot_.rows(), slot_.rows_max() - std::min(tokens, slot_.rows_max()));
  return cost_of(choose(tokens, LogitRows::kAll, rows)->info(), tokens) /
         cost_of(choose(1, LogitRows::kLast, rows)->info(), 1);
}

void CachePlan::make_room(uint32_t tokens) {
  if (slot_.rows() + tokens <= slot_.rows_max()) return;
  const uint32_t half = (slot_.rows_max() - sinks()) / 2;
  const uint32_t needed = slot_.rows() + tokens - slot_.rows_max();
  const uint32_t count = std::min(std::max(needed, half), slot_.rows() - sinks());
  slot_.drop(sinks(), count);
  dropped_ += count;
}

/// Rows to lay the cache out for, for graphs of open past: few enough that little is read in vain,
/// steps large enough that rows are rarely moved.
uint32_t CachePlan::next_capacity(uint32_t rows) const {
  const uint32_t step = rows <= 512 ? 128 : rows <= 4096 ? 512 : 2048;
  return std::min((rows + step - 1) / step * step, slot_.rows_max());
}

Result<Logits> CachePlan::step(std::span<const int32_t> tokens, LogitRows wanted) {
  const auto count = static_cast<uint32_t>(tokens.size());
  OVENBIRD_CHECK(count > 0 && count <= chunk(count, wanted));
  make_room(count);
  BoundGraph* graph = choose(count, wanted, slot_.rows());
  const GraphInfo& info = graph->info();
  uint32_t past = 0;
  if (!info.open_past) {
    past = info.past;
    slot_.set_capacity(past);
  } else if (slot_.rows() > 0) {
    past = slot_.capacity();
  }
  Result<Logits> logits = graph->run({.tokens = tokens,
                                      .first_position = slot_.rows(),
                                      .seen = slot_.rows(),
                                      .past = past},
                                     slot_.tensors(), slot_.rows_max());
  stepped_ = logits ? graph : nullptr;
  if (logits && wanted == LogitRows::kLast) {
    return Logits{.values = logits->values.last(logits->vocabulary),
                  .rows = 1,
                  .vocabulary = logits->vocabulary};
  }
  return logits;
}

void CachePlan::commit(uint32_t count) {
  OVENBIRD_CHECK(stepped_ && stepped_->first_row() + count <= stepped_->step_width());
  const uint32_t rows = slot_.rows() + count;
  if (rows > slot_.capacity()) slot_.set_capacity(next_capacity(rows));
  slot_.append(stepped_->present(), stepped_->step_width(), stepped_->first_row(), count);
  stepped_ = nullptr;
  // While an answer grows, the graphs of the next longer past are made before they are needed.
  const uint32_t past = shortest_past(slot_.rows());
  if (slot_.rows() > past / 4 * 3) {
    const uint32_t next = shortest_past(past);
    for (const auto& graph : graphs_) {
      if (!graph->info().open_past && graph->info().past == next) engine_.prepare(graph->graph());
    }
  }
  if (count == 1 && shortest_past(slot_.rows() - 1) != past) expect(tokens());
}

/// The shortest fixed past with room behind `rows` rows; the longest if there is none.
uint32_t CachePlan::shortest_past(uint32_t rows) const {
  uint32_t longest = 0;
  uint32_t shortest = 0;
  for (const auto& graph : graphs_) {
    const GraphInfo& info = graph->info();
    if (info.open_past) continue;
    longest = std::max(longest, info.past);
    if (info.past > rows && (shortest == 0 || info.past < shortest)) shortest = info.past;
  }
  return shortest ? shortest : longest;
}

/// Graphs whose past has become too short are given back first, then those with room are made: two
/// sets of packed weights at once would be the peak of the process's memory.
void CachePlan::expect(uint64_t tokens) {
  const uint64_t rows = tokens > dropped_ ? tokens - dropped_ : 0;
  const uint32_t past = shortest_past(static_cast<uint32_t>(std::min<uint64_t>(rows, slot_.rows_max())));
  for (const auto& graph : graphs_) {
    if (!graph->info().open_past && graph->info().past < past) graph->release();
  }
  for (const auto& graph : graphs_) {
    if (!graph->info().open_past && graph->info().past == past) engine_.prepare(graph->graph());
  }
}

uint64_t CachePlan::keep(uint64_t count) {
  OVENBIRD_CHECK(count <= tokens());
  stepped_ = nullptr;
  // After a drop, rows stand for the sinks' tokens and for those after the gap.
  const bool whole = dropped_ == 0 || count >= dropped_ + sinks();
  const uint64_t kept = whole ? count : 0;
  if (!whole) dropped_ = 0;
  slot_.truncate(static_cast<uint32_t>(kept - (whole ? dropped_ : 0)));
  return kept;
}

}  // namespace ovenbird
