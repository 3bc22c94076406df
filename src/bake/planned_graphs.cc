// The widths and pasts of them, with the reasons.
#include "bake/planned_graphs.h"

#include <algorithm>
#include <string>

namespace ovenbird {
namespace {

constexpr uint32_t kWindowWidth = 128;  // the plain fixed window
constexpr uint32_t kChunkWidth = 128;   // prefill: wide enough that weights are read rarely
constexpr uint32_t kDraftWidth = 8;     // verifying drafts: what an NPU does nearly for free
// A static graph reads all P rows of the cache, empty or not. Conversations begin short, so a
// second set of graphs over fewer rows lets their first tokens cost less.
constexpr uint32_t kShortPast = 512;

}  // namespace

std::vector<GraphInfo> planned_graphs(uint32_t past) {
  std::vector<GraphInfo> graphs = {
      {.file = kWindowGraphName, .plan = "window", .width = kWindowWidth},
      {.file = "dynamic.xml", .plan = "dynamic", .open_width = true, .open_past = true},
      // For devices that take it: prefill that reads only the rows there are.
      {.file = "step_w128_open.xml",
       .plan = "cached",
       .width = kChunkWidth,
       .past = past,
       .open_past = true,
       .logit_rows = 1},
      // One graph for everything: prefill, decode, and drafts of up to 8 verified.
      {.file = "step_open.xml",
       .plan = "cached",
       .width = kChunkWidth,
       .open_width = true,
       .past = past,
       .open_past = true,
       .logit_rows = kDraftWidth}};
  std::vector<uint32_t> pasts = {past};
  if (past > kShortPast) pasts.insert(pasts.begin(), kShortPast);
  for (const uint32_t rows : pasts) {
    const std::string suffix = "_p" + std::to_string(rows) + ".xml";
    graphs.push_back({.file = "step_w1" + suffix, .plan = "cached", .width = 1, .past = rows});
    graphs.push_back(
        {.file = "step_w8" + suffix, .plan = "cached", .width = kDraftWidth, .past = rows});
    // Prefill wants the newest row's logits only: the others' cost a fifth of the step.
    graphs.push_back({.file = "step_w128" + suffix,
                      .plan = "cached",
                      .width = kChunkWidth,
                      .past = rows,
                      .logit_rows = 1});
  }
  return graphs;
}

uint32_t positions_of(uint32_t past) { return std::max(past + kChunkWidth, kWindowWidth); }

}  // namespace ovenbird
