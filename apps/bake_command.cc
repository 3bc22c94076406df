// The bake command: source in, bundle out, with progress on the way.
#include "bake_command.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bake/bake.h"
#include "bake/import.h"
#include "bake_tokenizer.h"
#include "base/message_text.h"
#include "bundle/bundle.h"
#include "calibration_text.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/openvino_export.h"
#include "fetch_source.h"
#include "interrupt.h"
#include "progress.h"
#include "quantities.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

void show(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

/// A bake with a progress display on standard error, until it ends or Ctrl-C asks to. `bake_it`
/// is told whom to report to.
template <typename BakeIt>
Result<Manifest> with_progress(uint64_t bytes, const BakeIt& bake_it) {
  const bool is_terminal = ::isatty(STDERR_FILENO) != 0;
  Progress progress(bytes, is_terminal ? Progress::Style::kBar : Progress::Style::kLines,
                    {.what = "bake", .at_end = ", writing the graphs"});
  const auto begin = std::chrono::steady_clock::now();
  Result<Manifest> manifest = bake_it([&](uint64_t bytes_done) {
    show(progress.update(bytes_done, std::chrono::steady_clock::now() - begin));
    return !is_interrupted();
  });
  show(progress.finish());
  return manifest;
}

void note_tokenizer(const BakedTokenizer& tokenizer, const ModelFacts& model) {
  if (tokenizer.files.empty()) {
    note("the source has no tokenizer.json: the bundle runs with --ids and --tokenizer_id only");
  } else if (tokenizer.vocabulary > model.vocabulary) {
    note("the tokenizer has ids up to " + std::to_string(tokenizer.vocabulary - 1) +
         ", the model's are below " + std::to_string(model.vocabulary) +
         ": a text that needs the others will be refused");
  }
}

/// What was made, and the command to type next.
ExitStatus say_what_was_made(const fs::path& target, bool has_tokenizer) {
  const Result<Bundle> bundle = Bundle::open(target);
  if (!bundle) return report(bundle.error());
  const Manifest& manifest = bundle->manifest();
  uint64_t bytes = 0;
  for (const FileInfo& file : manifest.files) bytes += file.bytes;
  const std::string path = one_line(target.string());
  const std::string next = has_tokenizer ? " -p \"Hello\"" : " --ids 1,2,3";
  std::printf("baked %s: %s, %zu graphs, %s, for %s\n", path.c_str(),
              one_line(manifest.model.description).c_str(), manifest.graphs.size(),
              size_text(bytes).c_str(), manifest.target == Target::kNpu ? "npu" : "cpu");
  std::printf("next:  ovenbird run %s%s\n", path.c_str(), next.c_str());
  return finish_output();
}

ExitStatus finish(const Result<Manifest>& manifest, const BakedTokenizer& tokenizer,
                  const fs::path& target) {
  if (!manifest) return report(manifest.error());
  note_tokenizer(tokenizer, manifest->model);
  return say_what_was_made(target, !tokenizer.files.empty());
}

Result<std::vector<std::vector<int32_t>>> read_calibration(const BakeCommand& command,
                                                           const BakedTokenizer& baked,
                                                           const ModelConfig& config) {
  if (!command.calibrate) return std::vector<std::vector<int32_t>>{};
  if (!has_four_bits(command.options.weights)) {
    return fail(Code::kInvalidArgument, "bake: --calibrate goes with --weights int4 and nf4 only");
  }
  if (config.experts > 0) {
    return fail(Code::kUnsupported,
                "bake: --calibrate: not for a mixture of experts; leave the flag out");
  }
  if (!baked.tokenizer) {
    return fail(Code::kInvalidArgument,
                "bake: --calibrate: the source has no tokenizer; add its tokenizer.json");
  }
  return calibration_windows(*command.calibrate, *baked.tokenizer, config.vocabulary);
}

ExitStatus bake_checkpoint(const BakeCommand& command, const BakeOptions& options,
                           const Source& source, const fs::path& target) {
  const Result<std::unique_ptr<Checkpoint>> checkpoint = open_checkpoint(source.path);
  if (!checkpoint) return report(checkpoint.error());
  const Result<BakedTokenizer> tokenizer = bake_tokenizer(**checkpoint);
  if (!tokenizer) return report(tokenizer.error());
  const auto calibration = read_calibration(command, *tokenizer, (*checkpoint)->config());
  if (!calibration) return report(calibration.error());
  const auto bake_it = [&](BakeProgress progress) {
    return bake({.checkpoint = **checkpoint,
                 .options = options,
                 .target = target,
                 .replace = command.replace,
                 .extra_files = tokenizer->files,
                 .progress = std::move(progress),
                 .calibration = *calibration});
  };
  return finish(with_progress(source_bytes(**checkpoint), bake_it), *tokenizer, target);
}

Status read_list(const char* flag, const std::optional<std::string>& text, MatrixList& list) {
  if (!text) return ok();
  Result<MatrixList> parsed = MatrixList::parse(*text);
  if (!parsed) return fail_in(std::string("bake: ") + flag, parsed.error());
  list = std::move(*parsed);
  return ok();
}

/// The options with the lists that the command line gives as text.
Result<BakeOptions> read_options(const BakeCommand& command) {
  BakeOptions options = command.options;
  const std::tuple<const char*, const std::optional<std::string>&, MatrixList&> lists[] = {
      {"--int8-layers", command.int8_layers, options.int8_layers},
      {"--f16-layers", command.f16_layers, options.f16_layers}};
  for (const auto& [flag, text, list] : lists) {
    if (Status read = read_list(flag, text, list); !read) return Failure{read.error()};
  }
  if (Status valid = validate(options); !valid) return Failure{valid.error()};
  return options;
}

/// An export's graph may be named itself; the bundle is then called after its directory.
std::string name_of(const Source& source) {
  if (!fs::is_regular_file(source.path) || !is_openvino_export(source.path)) return source.name;
  return fs::weakly_canonical(source.path).parent_path().filename().string();
}

/// What optimum-intel exported: there is nothing to choose about its weights.
ExitStatus bake_openvino_export(const BakeCommand& command, const Source& source,
                                const fs::path& target) {
  if (!command.weights_flag.empty()) {
    return report({Code::kInvalidArgument,
                   "bake " + one_line(source.path.string()) + ": " + command.weights_flag +
                       ": an OpenVINO export's weights are kept as they are; leave the flag out, "
                       "or bake the checkpoint that it was exported from"});
  }
  const Result<OpenvinoExport> opened = open_openvino_export(source.path);
  if (!opened) return report(opened.error());
  const Result<BakedTokenizer> tokenizer = bake_tokenizer(opened->tokenizer);
  if (!tokenizer) return report(tokenizer.error());
  const auto bake_it = [&](BakeProgress progress) {
    return bake_export({.source = *opened,
                        .for_target = command.options.target,
                        .cache = command.options.cache,
                        .context = command.options.context,
                        .target = target,
                        .replace = command.replace,
                        .extra_files = tokenizer->files,
                        .progress = std::move(progress)});
  };
  return finish(with_progress(opened->weights.bytes().size(), bake_it), *tokenizer, target);
}

}  // namespace

ExitStatus bake_bundle(const BakeCommand& command) {
  watch_for_interrupt();
  const Result<BakeOptions> options = read_options(command);
  if (!options) return report(options.error());
  const Result<Source> source = fetch_source(command.source, command.revision);
  if (!source) return report(source.error());
  const fs::path target = command.output.value_or(name_of(*source) + "-ovenbird");
  if (is_openvino_export(source->path)) return bake_openvino_export(command, *source, target);
  if (is_openvino_export(source->path / "openvino_model.xml")) {
    note(
        "the source holds safetensors and an OpenVINO export: the safetensors are baked; for the "
        "export name its openvino_model.xml");
  }
  return bake_checkpoint(command, *options, *source, target);
}

}  // namespace ovenbird
