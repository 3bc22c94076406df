// What bench measures in one process, for one plan and recipe.
#pragma once

#include <string>

#include "command_line.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Prompts are fresh random tokens, answers greedy and without drafts.
struct BenchFigures {
  std::string plan;
  std::string recipe;
  std::string device;
  double start_s = 0;      // from the process's start to the first token after a prompt of 16
  double ttft_ms_128 = 0;  // from a prompt of 128 to its first token, model loaded; median
  double ttft_ms_512 = 0;
  double decode_tps = 0;  // tokens a second, 128 tokens after a prompt of 128; median
  double rss_mib = 0;     // the most that was resident until then
};

/// Measures this very process, which must not have opened a model before.
/// Errors: those of open_model and Session.
Result<BenchFigures> measure_here(const RunChoice& choice);

/// Has the graphs compiled that an answer needs, so that their blobs lie in the bundle's cache.
/// Errors: as above.
Status compile_here(const RunChoice& choice);

/// One JSON object on one line, or back. Errors: kCorrupt.
std::string to_json(const BenchFigures& figures);
Result<BenchFigures> parse_figures(const std::string& json);

}  // namespace ovenbird
