// Importing and compiling.
#include "engine/graph_loader.h"

#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

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
  LoadedGraph loaded = [&] {
    if (folds_) return load_folded(graph);
    try {
      return import_or_compile(graph, properties_);
    } catch (const std::exception& thrown) {
      const bool lacks_memory = code_of(thrown, Code::kInternal) == Code::kOutOfMemory;
      if (device_ != "NPU" || !lacks_memory) throw;
    }
    LoadedGraph made = load_folded(graph);
    folds_ = true;
    return made;
  }();
  drop_resident_pages(bundle_.directory());
  return loaded;
}

LoadedGraph GraphLoader::load_folded(const GraphInfo& graph) const {
  LoadedGraph loaded =
      import_or_compile(graph, folded(properties_, "ovenbird " + bundle_.directory().string()));
  loaded.is_folded = true;
  return loaded;
}

std::vector<std::string> GraphLoader::notes() const {
  if (!folds_) return {};
  return {device_ +
          ": its compiler has not the memory for a whole graph, so that graphs are folded "
          "and a step takes many submissions"};
}

std::string GraphLoader::blob_key(const GraphInfo& graph, const ov::AnyMap& properties) const {
  std::string key = device_facts_;
  for (const FileInfo& file : bundle_.manifest().files) {
    if (file.name == graph.file || file.name == kWeightsName) key += file.sha256 + "\n";
  }
  for (const auto& [name, value] : properties) key += name + "=" + value.as<std::string>() + "\n";
  return key;
}

LoadedGraph GraphLoader::import_or_compile(const GraphInfo& graph,
                                           const ov::AnyMap& properties) const {
  if (options_.blob_cache) {
    if (std::optional<LoadedGraph> kept = import(graph, properties)) return std::move(*kept);
  }
  ov::AnyMap asked = properties;
  if (options_.blob_cache && knows_property(device_, ov::cache_mode.name())) {
    asked.insert(ov::cache_mode(ov::CacheMode::OPTIMIZE_SIZE));  // weights stay in the .bin
  }
  LoadedGraph loaded;
  loaded.model =
      openvino_core().compile_model(openvino_core().read_model(bundle_.file(graph.file).string(),
                                                               bundle_.file(kWeightsName).string()),
                                    device_, asked);
  if (options_.blob_cache) {
    BlobCache(bundle_.cache_directory()).store(blob_key(graph, properties), [&](std::ostream& out) {
      loaded.model.export_model(out);
    });
  }
  return loaded;
}

std::optional<LoadedGraph> GraphLoader::import(const GraphInfo& graph,
                                               const ov::AnyMap& properties) const {
  const BlobCache cache(bundle_.cache_directory());
  const std::string key = blob_key(graph, properties);
  LoadedGraph loaded;
  loaded.blob = cache.find(key);
  if (!loaded.blob) return std::nullopt;
  ov::AnyMap asked = properties;
  if (knows_property(device_, ov::cache_mode.name())) {
    asked.insert(ov::cache_mode(ov::CacheMode::OPTIMIZE_SIZE));
  }
  asked.insert(ov::weights_path(bundle_.file(kWeightsName).string()));
  const PageDropper dropper(*loaded.blob);
  const std::span<const std::byte> bytes = loaded.blob->bytes();
  try {
    const ov::Tensor blob(ov::element::u8, {bytes.size()}, const_cast<std::byte*>(bytes.data()));
    loaded.model = openvino_core().import_model(blob, device_, asked);
    return loaded;
  } catch (const std::exception& thrown) {
    // A lost device says nothing about the blob; one that cannot be used is made again.
    if (code_of(thrown, Code::kInternal) == Code::kDeviceLost) throw;
    cache.remove(key);
    return std::nullopt;
  }
}

}  // namespace ovenbird
