// Which graph takes the next tokens, and what happens to the cache around it.
#include "session/cache_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

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
  if (info.open_width) width = width ? std::min(width, kLeanChunk) : kOpenWidthMax;
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

Result<std::unique_ptr<CachePlan>> CachePlan::create(const std::shared_ptr<SharedGraphs>& shared,
                                                     const Manifest& manifest,
                                                     const std::vector<size_t>& graphs,
                                                     uint32_t slot_rows, const PlanMemory& memory) {
  OVENBIRD_CHECK(!graphs.empty());
  Engine& engine = shared->engine();
  uint32_t past_max = 0;
  uint32_t fixed_past_max = 0;
  for (const size_t graph : graphs) {
    const GraphInfo& info = engine.graphs()[graph];
    past_max = std::max(past_max, past_limit(info));
    if (!info.open_past) fixed_past_max = std::max(fixed_past_max, info.past);
  }
  const uint32_t rows_max = std::min(past_max, manifest.model.context);
  const uint32_t rows_needed = std::max(rows_max, fixed_past_max);
  if (memory.slot && slot_rows < rows_needed) {
    return fail(Code::kInvalidArgument, "cache slot: it has " + std::to_string(slot_rows) +
                                            " rows; the engine's graphs need " +
                                            std::to_string(rows_needed));
  }
  Result<CacheSlot> slot = memory.slot ? CacheSlot::create(manifest, slot_rows, *memory.slot)
                                       : CacheSlot::create(manifest, rows_needed, engine.pages());
  if (!slot) return Failure{slot.error()};
  std::unique_ptr<CachePlan> plan(new CachePlan(std::move(*slot), rows_max));
  for (const size_t graph : graphs) {
    plan->graphs_.push_back(std::make_unique<BoundGraph>(shared, manifest, graph, memory.logits));
  }
  return plan;
}

uint32_t CachePlan::sinks() const { return std::min(kSinks, rows_max_ / 4); }

uint32_t CachePlan::rows_dropped_at_once() const { return std::max((rows_max_ - sinks()) / 2, 1u); }

/// The same before make_room() and after it, so that a step is chosen alike if the process dies in
/// between and another one makes it.
CachePlan::Held CachePlan::held_by_step() const {
  const bool is_full = slot_.rows() >= rows_max_;
  return {.rows = slot_.rows() - (is_full ? rows_dropped_at_once() : 0),
          .has_dropped = is_full || slot_.dropped() > 0};
}

uint32_t CachePlan::chunk(uint32_t tokens, LogitRows wanted) const {
  // A step may end where the cache is full, never go beyond: so what is dropped when depends on the
  // tokens alone, not on how they are cut into steps, and drafts change nothing.
  const Held held = held_by_step();
  const uint32_t fitting = std::min(tokens, rows_max_ - held.rows);
  return std::min(fitting, widest_step(choose(held, fitting, wanted, Steps::kMany), wanted));
}

/// The graph that takes the next `tokens` in the least time; there must be room for them.
BoundGraph& CachePlan::choose(Held held, uint32_t tokens, LogitRows wanted, Steps steps) const {
  const uint32_t longest = longest_past();
  BoundGraph* best = nullptr;
  double best_time = std::numeric_limits<double>::infinity();
  for (const auto& graph : graphs_) {
    const GraphInfo& info = graph->info();
    const uint32_t width = std::min(tokens, widest_step(*graph, wanted));
    if (steps == Steps::kOne && width < tokens) continue;
    // The new rows go into the same cache, of which a fixed past is all.
    const uint32_t rows = held.rows + (info.open_past ? 0 : width);
    if (past_limit(info) < rows) continue;
    // A shorter fixed past that this step fills is given up one step early, as expect() does. And
    // where rows have been dropped, they will soon be as many again.
    const bool is_shorter = !info.open_past && info.past < longest;
    if (is_shorter && (held.has_dropped || info.past == rows)) continue;
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
  const BoundGraph& many = choose({}, std::min(tokens, rows_max_), LogitRows::kAll, Steps::kMany);
  return time_of(many, tokens, LogitRows::kAll) /
         time_of(choose({}, 1, LogitRows::kLast, Steps::kOne), 1, LogitRows::kLast);
}

void CachePlan::make_room() {
  if (slot_.rows() >= rows_max_) slot_.drop(sinks(), rows_dropped_at_once());
}

/// Rows to lay the cache out for, for graphs of open past: few enough that little is read in vain,
/// steps large enough that rows are rarely moved.
uint32_t CachePlan::next_capacity(uint32_t rows) const {
  const uint32_t step = rows <= 512 ? 128 : rows <= 4096 ? 512 : 2048;
  return std::min((rows + step - 1) / step * step, rows_max_);
}

/// Lays the cache out for a graph that adds `count` rows; gives the past rows that it is to read.
uint32_t CachePlan::lay_out_for(const GraphInfo& graph, uint32_t count) {
  if (!graph.open_past) {
    slot_.set_capacity(graph.past);
    return graph.past;
  }
  if (slot_.rows() == 0) {
    slot_.set_capacity(next_capacity(count));  // nothing has to move
    return 0;
  }
  // A process that died behind this step's commit() may have laid the rows out for more.
  const uint32_t noted = slot_.noted_past();
  if (noted > 0 && noted <= past_limit(graph)) slot_.set_capacity(noted);
  // A longer conversation, or a graph of fixed past, may have left it laid out for far more.
  const uint32_t wanted = std::min(next_capacity(slot_.rows()), past_limit(graph));
  if (slot_.capacity() > std::min(2 * wanted, past_limit(graph))) slot_.set_capacity(wanted);
  slot_.note_step(slot_.capacity());
  return slot_.capacity();
}

Result<Logits> CachePlan::step(std::span<const int32_t> tokens, LogitRows wanted) {
  const auto count = static_cast<uint32_t>(tokens.size());
  OVENBIRD_CHECK(count > 0 && count <= chunk(count, wanted));
  stepped_ = nullptr;
  make_room();
  const Held held = held_by_step();
  // Two sets of packed weights at once would be the peak of the process's memory.
  release_graphs(shortest_past(held));
  BoundGraph& graph = choose(held, count, wanted, Steps::kOne);
  const uint32_t past = lay_out_for(graph.info(), count);
  const Result<Logits> logits =
      graph.run({.tokens = tokens, .first_position = held.rows, .seen = held.rows, .past = past},
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
  const uint32_t rows = slot_.rows() + count;
  if (rows > slot_.capacity()) slot_.set_capacity(next_capacity(rows));
  slot_.append(stepped_->present(), stepped_->step_width(), stepped_->first_row(), count);
  const bool answering = stepped_->step_width() <= kAnswerWidth;
  stepped_ = nullptr;
  if (!answering) return;  // a compile beside a prefill would take processors from the first token
  // While an answer grows, the graphs of the next longer past are made before they are needed.
  const uint32_t past = shortest_past(held_by_step());
  if (rows > past / 4 * 3) prepare_graphs(shortest_past({.rows = past}));
}

uint32_t CachePlan::longest_past() const {
  uint32_t longest = 0;
  for (const auto& graph : graphs_) {
    if (!graph->info().open_past) longest = std::max(longest, graph->info().past);
  }
  return longest;
}

/// The shortest fixed past that takes one more row and has room behind it; the longest if none has.
/// That one also where rows have been dropped: going back and forth would cost more.
uint32_t CachePlan::shortest_past(Held held) const {
  uint32_t shortest = longest_past();
  if (held.has_dropped) return shortest;
  for (const auto& graph : graphs_) {
    const GraphInfo& info = graph->info();
    if (!info.open_past && info.past > held.rows + 1) shortest = std::min(shortest, info.past);
  }
  return shortest;
}

/// Those of a fixed past that is shorter than `past`.
void CachePlan::release_graphs(uint32_t past) {
  for (const auto& graph : graphs_) {
    if (!graph->info().open_past && graph->info().past < past) graph->release();
  }
}

void CachePlan::prepare_graphs(uint32_t past) {
  for (const auto& graph : graphs_) {
    if (!graph->info().open_past && graph->info().past == past) graph->prepare();
  }
}

/// Graphs whose past has become too short are given back first, then those with room are made.
void CachePlan::expect(uint64_t tokens) {
  // The newest token has been said and has no row yet.
  const uint64_t rows = tokens - std::min<uint64_t>(tokens, uint64_t{slot_.dropped()} + 1);
  const uint32_t past =
      shortest_past({.rows = static_cast<uint32_t>(std::min<uint64_t>(rows, rows_max_)),
                     .has_dropped = slot_.dropped() > 0 || rows >= rows_max_});
  release_graphs(past);
  prepare_graphs(past);
}

uint64_t CachePlan::keep(uint64_t count) {
  OVENBIRD_CHECK(count <= tokens());
  stepped_ = nullptr;
  // After a drop, rows stand for the sinks' tokens and for those after the gap.
  const bool has_gap = slot_.dropped() > 0 && count < uint64_t{slot_.dropped()} + sinks();
  if (has_gap) {
    slot_.clear();
    return 0;
  }
  slot_.truncate(static_cast<uint32_t>(count - slot_.dropped()));
  return count;
}

Status CachePlan::restore(std::span<const int32_t> tokens) {
  stepped_ = nullptr;
  if (Status recovered = slot_.recover(tokens.size()); !recovered) return recovered;
  const bool is_whole = slot_.dropped() == 0 || slot_.rows() >= sinks();
  if (is_whole && slot_.rows() <= rows_max_) return ok();
  const std::string held = std::to_string(slot_.rows()) + " rows behind " +
                           std::to_string(slot_.dropped()) + " dropped ones";
  slot_.clear();
  return fail(Code::kCorrupt, "take up a conversation: its slot has " + held + ", and this plan " +
                                  std::to_string(sinks()) + " to " + std::to_string(rows_max_) +
                                  "; all of it will be computed again");
}

uint64_t CachePlan::take_prefix(const Plan& from, uint64_t count) {
  OVENBIRD_CHECK(&from != this && tokens() == 0);
  stepped_ = nullptr;
  const auto* other = dynamic_cast<const CachePlan*>(&from);
  if (!other || other->slot_.dropped() > 0) return 0;
  const auto rows =
      static_cast<uint32_t>(std::min<uint64_t>(count, std::min(other->slot_.rows(), rows_max_)));
  if (rows == 0) return 0;
  // As it is laid out there, it will probably be read here.
  const uint32_t capacity = other->slot_.capacity();
  slot_.set_capacity(capacity <= slot_.rows_max() ? capacity : next_capacity(rows));
  slot_.copy_rows(other->slot_, rows);
  return rows;
}

}  // namespace ovenbird
