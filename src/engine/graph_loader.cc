// Importing and compiling.
#include "engine/graph_loader.h"

#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>
#include <stdexcept>

#include "base/resident_pages.h"
#include "engine/blob_cache.h"
#include "engine/device_properties.h"
#include "engine/openvino_core.h"

namespace ovenbird {
namespace {

/// Everything about the device that a blob depends on.
std::string facts_of(const std::string& device) {
  std::string facts = std::string(ov::get_openvino_version().buildNumber) + "\n" + device + "\n";
  for (const char* name :
       {"FULL_DEVICE_NAME", "DEVICE_ARCHITECTURE", "NPU_DRIVER_VERSION", "NPU_COMPILER_VERSION"}) {
    if (!knows_property(device, name)) continue;
    facts += openvino_core().get_property(device, name).as<std::string>() + "\n";
  }
  return facts;
}

}  // namespace

std::mutex& mapping_mutex() {
  static std::mutex the_mutex;
  return the_mutex;
}

GraphLoader::GraphLoader(const Bundle& bundle, const EngineOptions& options, std::string device)
    : bundle_(bundle),
      options_(options),
      device_(std::move(device)),
      properties_(properties_for(device_, options)),
      device_facts_(facts_of(device_)) {}

LoadedGraph GraphLoader::load(const GraphInfo& graph) {
  const std::lock_guard lock(mapping_mutex());
  LoadedGraph loaded = import_or_compile(graph);
  drop_resident_pages(bundle_.directory());
  return loaded;
}

LoadedGraph GraphLoader::import_or_compile(const GraphInfo& graph) {
  const bool may_fold = device_ == "NPU";
  if (!folds_) {
    if (auto kept = import(graph, Form::kWhole)) return std::move(*kept);
  }
  if (may_fold) {
    // What was folded once need not run out of memory again.
    if (auto kept = import(graph, Form::kFolded)) {
      folds_ = true;
      return std::move(*kept);
    }
  }
  std::string lacks_memory;
  if (!folds_) {
    try {
      return compile(graph, Form::kWhole);
    } catch (const std::exception& thrown) {
      if (!may_fold || code_of(thrown, Code::kInternal) != Code::kOutOfMemory) throw;
      lacks_memory = words_of(thrown);
    }
  }
  try {
    LoadedGraph made = compile(graph, Form::kFolded);
    folds_ = true;
    return made;
  } catch (const std::exception&) {
    if (lacks_memory.empty()) throw;
    // The memory is what is missing; that folding did not help is the lesser news.
    throw std::runtime_error(lacks_memory + "; folded too");
  }
}

ov::AnyMap GraphLoader::properties_of(Form form) const {
  if (form == Form::kWhole) return properties_;
  std::string bank = "ovenbird";  // the plugin takes no blanks in it
  for (const FileInfo& file : bundle_.manifest().files) {
    if (file.name == kWeightsName) bank += "_" + file.sha256;
  }
  return folded(properties_, bank, bundle_.manifest().cache_type);
}

std::string GraphLoader::note() const {
  if (!folds_) return "";
  return device_ +
         ": its compiler had not the memory for a whole graph, so that graphs are folded and "
         "a step takes many submissions; to have whole graphs tried again, remove " +
         bundle_.cache_directory().string();
}

std::string GraphLoader::blob_key(const GraphInfo& graph, const ov::AnyMap& properties) const {
  std::string key = device_facts_;
  for (const FileInfo& file : bundle_.manifest().files) {
    if (file.name == graph.file || file.name == kWeightsName) key += file.sha256 + "\n";
  }
  for (const auto& [name, value] : properties) key += name + "=" + value.as<std::string>() + "\n";
  return key;
}

ov::AnyMap GraphLoader::for_blobs(ov::AnyMap properties) const {
  if (options_.blob_cache && knows_property(device_, ov::cache_mode.name())) {
    properties.insert(ov::cache_mode(ov::CacheMode::OPTIMIZE_SIZE));
  }
  return properties;
}

LoadedGraph GraphLoader::compile(const GraphInfo& graph, Form form) const {
  const ov::AnyMap properties = properties_of(form);
  LoadedGraph loaded;
  loaded.is_folded = form == Form::kFolded;
  loaded.model =
      openvino_core().compile_model(openvino_core().read_model(bundle_.file(graph.file).string(),
                                                               bundle_.file(kWeightsName).string()),
                                    device_, for_blobs(properties));
  if (options_.blob_cache) {
    BlobCache(bundle_.cache_directory()).store(blob_key(graph, properties), [&](std::ostream& out) {
      loaded.model.export_model(out);
    });
  }
  return loaded;
}

std::optional<LoadedGraph> GraphLoader::import(const GraphInfo& graph, Form form) const {
  if (!options_.blob_cache) return std::nullopt;
  const ov::AnyMap properties = properties_of(form);
  const BlobCache cache(bundle_.cache_directory());
  const std::string key = blob_key(graph, properties);
  LoadedGraph loaded;
  loaded.is_folded = form == Form::kFolded;
  loaded.blob = cache.find(key);
  if (!loaded.blob) return std::nullopt;
  ov::AnyMap asked = for_blobs(properties);
  if (knows_property(device_, ov::weights_path.name())) {
    asked.insert(ov::weights_path(bundle_.file(kWeightsName).string()));
  }
  const std::span<const std::byte> bytes = loaded.blob->bytes();
  try {
    const PageDropper dropper(*loaded.blob);  // ends before the blob is moved into the result
    const ov::Tensor blob(ov::element::u8, {bytes.size()}, const_cast<std::byte*>(bytes.data()));
    loaded.model = openvino_core().import_model(blob, device_, asked);
  } catch (const std::exception& thrown) {
    // A device that is lost or short of memory says nothing about the blob; one that cannot be used
    // is made again.
    const Code code = code_of(thrown, Code::kInternal);
    if (code == Code::kDeviceLost) throw;
    if (code != Code::kOutOfMemory) cache.remove(key);
    return std::nullopt;
  }
  return loaded;
}

}  // namespace ovenbird
