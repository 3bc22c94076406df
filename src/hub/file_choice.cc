// The rules by which files are chosen.
#include "hub/file_choice.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/json.h"
#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr char kConfig[] = "config.json";
constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr char kGraph[] = "openvino_model.xml";
constexpr char kGraphWeights[] = "openvino_model.bin";
constexpr const char* kBesides[] = {kConfig, "generation_config.json", "tokenizer.json",
                                    "tokenizer_config.json", "chat_template.jinja"};
constexpr size_t kNamedMax = 12;  // in a message of one line

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

/// "x-00001-of-00003.gguf": a model in several files, which no reader here takes.
bool is_part_of_gguf(std::string_view name) {
  name.remove_suffix(std::string_view(".gguf").size());
  const size_t of = name.rfind("-of-");
  if (of == name.npos || !is_digits(name.substr(of + 4))) return false;
  const size_t dash = name.rfind('-', of - 1);
  return of > 0 && dash != name.npos && is_digits(name.substr(dash + 1, of - dash - 1)) &&
         name.substr(of + 4).find_first_not_of("0") != name.npos && name.substr(of + 4) != "00001";
}

std::vector<std::string> whole_ggufs(const std::vector<std::string>& names) {
  std::vector<std::string> ggufs;
  for (const std::string& name : names) {
    if (name.ends_with(".gguf") && !is_part_of_gguf(name)) ggufs.push_back(name);
  }
  return ggufs;
}

/// "a.gguf, b.gguf and 3 more"
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamedMax); ++i) {
    text += (i ? ", " : "") + printable(names[i]);
  }
  const size_t rest = names.size() - std::min(names.size(), kNamedMax);
  return text + (rest ? " and " + std::to_string(rest) + " more" : "");
}

std::string what_ggufs(const std::vector<std::string>& names, const ModelName& model) {
  const std::vector<std::string> ggufs = whole_ggufs(names);
  if (ggufs.empty()) return "it has no GGUF in one file";
  ModelName example = model;
  example.file = ggufs.front();
  return "name a GGUF of it, as in " + printable(example.text()) + "; it has " + listed(ggufs);
}

Result<FileChoice> choose_gguf(const std::vector<std::string>& names, const ModelName& model) {
  if (!has(names, model.file)) {
    return fail(Code::kNotFound,
                "it has no file " + in_quotes(model.file) + "; " + what_ggufs(names, model));
  }
  if (is_part_of_gguf(model.file)) {
    return fail(Code::kUnsupported, in_quotes(model.file) +
                                        " is one of several files of a GGUF, which cannot be read "
                                        "together; " +
                                        what_ggufs(names, model));
  }
  return FileChoice{.small = {}, .weights = {model.file}, .index = {}};
}

FileChoice besides(const std::vector<std::string>& names) {
  FileChoice choice;
  for (const char* name : kBesides) {
    if (has(names, name)) choice.small.emplace_back(name);
  }
  return choice;
}

}  // namespace

Result<FileChoice> choose_files(const std::vector<std::string>& names, const ModelName& model) {
  if (!model.file.empty()) return choose_gguf(names, model);
  FileChoice choice = besides(names);
  if (has(names, kSingle) && has(names, kConfig)) {
    choice.weights = {kSingle};
    return choice;
  }
  if (has(names, kIndex) && has(names, kConfig)) {
    choice.index = kIndex;
    choice.small.emplace_back(kIndex);
    return choice;
  }
  if (has(names, kGraph) && has(names, kGraphWeights)) {
    if (has(names, "openvino_config.json")) choice.small.emplace_back("openvino_config.json");
    choice.small.emplace_back(kGraph);
    choice.weights = {kGraphWeights};
    return choice;
  }
  const std::string lacks =
      "it has neither config.json with model.safetensors (or its index) nor "
      "openvino_model.xml with its .bin";
  return fail(Code::kUnsupported, lacks + "; " + what_ggufs(names, model));
}

Result<std::vector<std::string>> shards_of(const std::string& index,
                                           const std::vector<std::string>& names) {
  const auto json = parse_json(index, {.bytes_max = limits::kIndexBytesMax});
  if (!json) return fail_in(kIndex, json.error());
  const auto map = json->is_object() ? json->find("weight_map") : json->end();
  if (!json->is_object() || map == json->end() || !map->is_object()) {
    return fail(Code::kCorrupt, std::string(kIndex) + " has no weight_map");
  }
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    if (!name.ends_with(".safetensors") || name.find('/') != name.npos ||
        !is_repository_path(name)) {
      return fail(Code::kCorrupt, std::string(kIndex) + " names " + in_quotes(name) +
                                      ", which is no safetensors file beside it");
    }
    shards.insert(name);
  }
  const std::set<std::string> listed_names(names.begin(), names.end());
  for (const std::string& shard : shards) {
    if (!listed_names.contains(shard)) {
      return fail(Code::kCorrupt, std::string(kIndex) + " names " + in_quotes(shard) +
                                      ", which the repository does not have");
    }
  }
  if (shards.empty() || shards.size() > limits::kShardsMax) {
    return fail(Code::kCorrupt, std::string(kIndex) + " names " + std::to_string(shards.size()) +
                                    " files; accepted: 1 to " + std::to_string(limits::kShardsMax));
  }
  return std::vector<std::string>(shards.begin(), shards.end());
}

}  // namespace ovenbird
