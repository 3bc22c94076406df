// The bench command: one process after another, then a table.
#include "bench_command.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench_figures.h"
#include "bundle/bundle.h"
#include "child_process.h"
#include "interrupt.h"

namespace ovenbird {
namespace {

/// One line of the table: figures, or why there are none.
struct Row {
  std::string plan;
  std::string recipe;
  Result<BenchFigures> figures;
};

bool has_plan(const Manifest& manifest, const std::string& plan) {
  return std::any_of(manifest.graphs.begin(), manifest.graphs.end(),
                     [&](const GraphInfo& graph) { return graph.plan == plan; });
}

/// Every plan and recipe that the flags leave open. A plan of one graph is lean by nature.
std::vector<std::pair<std::string, std::string>> combinations(const RunChoice& choice,
                                                              const Manifest& manifest) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const char* plan : {"cached", "window", "dynamic"}) {
    if (choice.plan ? *choice.plan != plan : !has_plan(manifest, plan)) continue;
    for (const char* recipe : {"lean", "balanced", "fast"}) {
      const bool has_recipes = std::string(plan) == "cached";
      const std::string wanted = choice.recipe && has_recipes ? *choice.recipe : recipe;
      if (wanted != recipe || (!has_recipes && wanted != "lean")) continue;
      all.emplace_back(plan, recipe);
    }
  }
  return all;
}

/// `words` and the flags that say where to run.
std::vector<std::string> with_choice(std::vector<std::string> words, const BenchCommand& command,
                                     const std::string& plan, const std::string& recipe) {
  const RunChoice& where = command.where;
  words.insert(words.end(), {"--json", "--plan", plan, "--recipe", recipe});
  words.insert(words.end(), {"--device", where.device});
  if (!where.fallback) words.emplace_back("--no-fallback");
  if (where.threads > 0) {
    words.emplace_back("--threads");
    words.push_back(std::to_string(where.threads));
  }
  return words;
}

/// Runs twice: the first time compiles what the second finds in the cache of compiled blobs.
Result<BenchFigures> measure_apart(const BenchCommand& command, const std::string& plan,
                                   const std::string& recipe) {
  const std::string& bundle = command.where.bundle;
  const Result<std::string> warm = output_of_engine(
      with_choice({"bench", bundle, "--here", "--warm-up"}, command, plan, recipe));
  if (!warm) return Failure{warm.error()};
  const Result<std::string> measured =
      output_of_engine(with_choice({"bench", bundle, "--here"}, command, plan, recipe));
  if (!measured) return Failure{measured.error()};
  return parse_figures(*measured);
}

const Row* best_of(const std::vector<Row>& rows) {
  const Row* best = nullptr;
  for (const Row& row : rows) {
    if (!row.figures) continue;
    if (!best || row.figures->decode_tps > best->figures->decode_tps) best = &row;
  }
  return best;
}

nlohmann::ordered_json row_json(const Row& row) {
  if (row.figures) return nlohmann::ordered_json::parse(to_json(*row.figures));
  return {{"plan", row.plan}, {"recipe", row.recipe}, {"error", row.figures.error().message}};
}

void print_json(const std::vector<Row>& rows, const Row& best) {
  nlohmann::ordered_json json = row_json(best);
  json["all"] = nlohmann::ordered_json::array();
  for (const Row& row : rows) json["all"].push_back(row_json(row));
  std::puts(json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void print_row(const std::string& plan, const std::string& recipe, const BenchFigures& figures) {
  std::printf("%-8s %-9s %-6s %8.2f %9.0f %9.0f %10.1f %8.0f\n", plan.c_str(), recipe.c_str(),
              figures.device.c_str(), figures.start_s, figures.ttft_ms_128, figures.ttft_ms_512,
              figures.decode_tps, figures.rss_mib);
}

void print_head() {
  std::printf("%-8s %-9s %-6s %8s %9s %9s %10s %8s\n", "plan", "recipe", "device", "start s",
              "ttft 128", "ttft 512", "tokens/s", "MiB");
}

ExitStatus bench_here(const BenchCommand& command) {
  if (command.warm_up) {
    const Status warm = compile_here(command.where);
    return warm ? kExitDone : report(warm.error());
  }
  const Result<BenchFigures> figures = measure_here(command.where);
  if (!figures) return report(figures.error());
  if (command.json) {
    std::puts(to_json(*figures).c_str());
  } else {
    print_head();
    print_row(figures->plan, figures->recipe, *figures);
  }
  return finish_output();
}

}  // namespace

ExitStatus bench(const BenchCommand& command) {
  exit_on_interrupt();
  if (command.here) return bench_here(command);
  const Result<Bundle> bundle = Bundle::open(command.where.bundle);
  if (!bundle) return report(bundle.error());
  std::vector<Row> rows;
  if (!command.json) print_head();
  for (const auto& [plan, recipe] : combinations(command.where, bundle->manifest())) {
    rows.push_back({plan, recipe, measure_apart(command, plan, recipe)});
    const Result<BenchFigures>& figures = rows.back().figures;
    if (figures && !command.json) {
      print_row(plan, recipe, *figures);
      std::fflush(stdout);
    }
  }
  const Row* best = best_of(rows);
  if (!best) return rows.empty() ? kExitFailed : exit_status(rows.front().figures.error().code);
  if (command.json) print_json(rows, *best);
  return finish_output();
}

}  // namespace ovenbird
