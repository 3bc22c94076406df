// Sources that are on this machine.
#include "source.h"

#include <system_error>

#include "base/message_text.h"
#include "hub/cached_model.h"
#include "hub/hub_directories.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::string name_of_path(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(path, error);
  const fs::path last = (error ? path : whole).filename();
  return last.extension() == ".gguf" ? last.stem().string() : last.string();
}

}  // namespace

std::string name_of_model(const ModelName& model) {
  const fs::path last = fs::path(model.file.empty() ? model.id : model.file).filename();
  return model.file.empty() ? last.string() : last.stem().string();
}

Result<Source> find_path(const std::string& source) {
  std::error_code error;
  if (fs::exists(source, error)) return Source{source, name_of_path(source)};
  return fail(
      Code::kNotFound,
      "open source " + in_quotes(source) +
          ": no such file or directory; give a .gguf file, a directory with config.json and "
          "*.safetensors, or a model of the hub as OWNER/NAME");
}

Result<Source> find_source(const std::string& source) {
  auto path = find_path(source);
  if (path || !is_model_name(source)) return path;
  const auto model = parse_model_name(source);
  if (!model) return Failure{model.error()};
  auto cached = find_cached_files(HubCache(hub_cache_root(), model->id), *model);
  if (cached) return Source{*std::move(cached), name_of_model(*model)};
  return fail(Code::kNotFound, "open source " + in_quotes(source) +
                                   ": no such file or directory, and " + cached.error().message +
                                   "; only bake downloads, and only what is named OWNER/NAME");
}

}  // namespace ovenbird
