// Which files an export has, and the little that is read of its config.json.
#include "checkpoint/openvino_export.h"

#include <utility>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr char kGraphName[] = "openvino_model.xml";
constexpr char kWeightsName[] = "openvino_model.bin";
constexpr char kBundleManifestName[] = "ovenbird.json";
constexpr const char* kSafetensorsNames[] = {"model.safetensors", "model.safetensors.index.json"};

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_graph_itself(const fs::path& path) {
  std::error_code error;
  return path.filename() == kGraphName && fs::is_regular_file(path, error);
}

fs::path directory_of(const fs::path& path) {
  if (!is_graph_itself(path)) return path;
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

Result<OpenvinoExport> open_directory(const fs::path& directory) {
  if (is_there(directory / kBundleManifestName)) {
    return fail(Code::kInvalidArgument,
                "it is a bundle already; run it, or bake what it was baked from");
  }
  auto graph = MappedFile::open(directory / kGraphName);
  if (!graph) return Failure{graph.error()};
  auto weights = MappedFile::open(directory / kWeightsName);
  if (!weights && weights.error().code == Code::kNotFound) {
    return fail(Code::kNotFound,
                "it has no openvino_model.bin: the weights of openvino_model.xml "
                "are missing; copy that file too");
  }
  if (!weights) return Failure{weights.error()};
  auto texts = read_config_texts(directory);
  if (!texts) return Failure{texts.error()};
  auto json = parse_config_texts(*texts);
  if (!json) return Failure{json.error()};
  auto tokenizer = read_tokenizer_files(directory);
  if (!tokenizer) return Failure{tokenizer.error()};
  return OpenvinoExport{.graph = *std::move(graph),
                        .weights = *std::move(weights),
                        .texts = *std::move(texts),
                        .json = *std::move(json),
                        .tokenizer = *std::move(tokenizer)};
}

void check_range(JsonFacts& facts, const char* key, uint32_t value, uint32_t max) {
  if (value >= 1 && value <= max) return;
  facts.refuse(Code::kCorrupt, "config.json: " + std::string(key) + " is " + std::to_string(value) +
                                   "; accepted: 1 to " + std::to_string(max));
}

}  // namespace

bool is_openvino_export(const fs::path& path) {
  if (is_graph_itself(path)) return true;
  if (!is_there(path / kGraphName)) return false;
  for (const char* name : kSafetensorsNames) {
    if (is_there(path / name)) return false;
  }
  return true;
}

Result<OpenvinoExport> open_openvino_export(const fs::path& path) {
  auto opened = open_directory(directory_of(path));
  if (opened) return opened;
  return fail(opened.error().code,
              one_line("open OpenVINO export " + path.string() + ": " + opened.error().message));
}

Result<ExportFacts> read_export_facts(const ConfigJson& json, uint32_t vocabulary) {
  JsonFacts facts(json.config, "config.json");
  const nlohmann::json nothing = nlohmann::json::object();
  JsonFacts generation(json.generation.is_null() ? nothing : json.generation,
                       "generation_config.json");
  if (facts.fault()) return Failure{*facts.fault()};
  ExportFacts read{.architecture = printable(facts.text("model_type").value_or(""))};
  if (read.architecture.empty()) {
    facts.refuse(Code::kCorrupt, "config.json names no architecture (model_type)");
  }
  if (facts.flag("is_encoder_decoder").value_or(false)) {
    facts.refuse(Code::kUnsupported,
                 "config.json: is_encoder_decoder: an encoder with a decoder is not supported");
  }
  read.hidden = facts.required_count("hidden_size");
  check_range(facts, "hidden_size", read.hidden, limits::kHiddenMax);
  read.context = facts.required_count("max_position_embeddings");
  check_range(facts, "max_position_embeddings", read.context, limits::kContextMax);
  read.tokens = read_special_tokens(facts, generation, vocabulary);
  if (facts.fault()) return Failure{*facts.fault()};
  if (generation.fault()) return Failure{*generation.fault()};
  return read;
}

}  // namespace ovenbird
