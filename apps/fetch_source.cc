// Downloads, seen by a user.
#include "fetch_source.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/message_text.h"
#include "exit_status.h"
#include "hub/fetch_model.h"
#include "interrupt.h"
#include "progress.h"
#include "quantities.h"

namespace ovenbird {
namespace {

/// A line for every file, and a bar for all bytes.
class DownloadDisplay {
 public:
  bool show(const FetchProgress& now);
  void finish() { write(progress_.finish()); }

 private:
  static Progress progress_for(uint64_t bytes) {
    const bool is_terminal = ::isatty(STDERR_FILENO) != 0;
    return {bytes,
            is_terminal ? Progress::Style::kBar : Progress::Style::kLines,
            {.what = "download", .at_end = ", checking"}};
  }
  static void write(const std::string& text) {
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
  }

  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  uint64_t bytes_total_ = 0;
  Progress progress_ = progress_for(0);
};

bool DownloadDisplay::show(const FetchProgress& now) {
  if (now.bytes_total != bytes_total_) {
    bytes_total_ = now.bytes_total;
    progress_ = progress_for(bytes_total_);
  }
  for (const FetchedFile& file : now.fetched) {
    write(progress_.finish() + "download: " + printable(file.name) + ", " + size_text(file.bytes) +
          "\n");
  }
  if (bytes_total_ > 0) {
    write(progress_.update(now.bytes_come, std::chrono::steady_clock::now() - begin_));
  }
  return !is_interrupted();
}

Result<ModelName> model_named(const std::string& source,
                              const std::optional<std::string>& revision) {
  auto model = parse_model_name(source);
  if (!model || !revision) return model;
  if (!model->revision.empty()) {
    return fail(Code::kInvalidArgument, "bake " + in_quotes(source) +
                                            ": the revision is named twice; give @REVISION or "
                                            "--revision, not both");
  }
  if (!is_revision(*revision)) {
    return fail(Code::kInvalidArgument,
                "bake: --revision: " + in_quotes(*revision) + " is no branch, tag or commit");
  }
  model->revision = *revision;
  return model;
}

Result<Source> fetch(const ModelName& model) {
  auto settings = hub_settings();
  if (!settings) return fail_in("download " + model.text(), settings.error());
  settings->user_agent = "ovenbird/" OVENBIRD_VERSION;
  DownloadDisplay display;
  const auto show = [&](const FetchProgress& now) { return display.show(now); };
  auto fetched = fetch_model({.model = model, .settings = *settings, .progress = show});
  display.finish();
  if (!fetched) return Failure{fetched.error()};
  if (!fetched->note.empty()) {
    note("the copy in " + settings->cache.string() + " is used as it is: " + fetched->note);
  }
  return Source{std::move(fetched->path), name_of_model(model)};
}

}  // namespace

Result<Source> fetch_source(const std::string& source, const std::optional<std::string>& revision) {
  std::error_code error;
  if (!std::filesystem::exists(source, error) && is_model_name(source)) {
    auto model = model_named(source, revision);
    if (!model) return Failure{model.error()};
    // A word without an owner is more likely a path with a slip in it.
    return model->id.find('/') == std::string::npos ? find_source(model->text()) : fetch(*model);
  }
  if (revision) {
    return fail(Code::kInvalidArgument, "bake " + in_quotes(source) +
                                            ": --revision goes with a model of the hub, as "
                                            "OWNER/NAME; this is a path");
  }
  return find_path(source);
}

}  // namespace ovenbird
