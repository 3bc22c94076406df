// From a graph of a bundle to a compiled one. Included by the files that see OpenVINO only.
#pragma once

#include <atomic>
#include <mutex>
#include <openvino/runtime/compiled_model.hpp>
#include <optional>
#include <string>

#include "base/mapped_file.h"
#include "bundle/bundle.h"
#include "engine/open_engine.h"

namespace ovenbird {

/// Held while OpenVINO may map or unmap a bundle's files: while it compiles a graph or lets one go.
/// Only then may their pages be dropped (see drop_resident_pages).
std::mutex& mapping_mutex();

/// A compiled graph, and the blob that it may read from.
struct LoadedGraph {
  std::optional<MappedFile> blob;  // before the model: it goes last
  ov::CompiledModel model;
  bool is_folded = false;  // through OpenVINO's NPU wrapper, which takes host tensors only
};

/// Loads graphs of one bundle for one device. Any thread may call load().
class GraphLoader {
 public:
  /// `bundle` must outlive it. Throws what OpenVINO throws: the device's properties are asked.
  GraphLoader(const Bundle& bundle, const EngineOptions& options, std::string device);

  /// From the blob cache if it can be, else compiled and put there. On an NPU whose compiler runs
  /// out of memory the graph is folded (see folded()). Throws what OpenVINO throws.
  LoadedGraph load(const GraphInfo& graph);

  /// What the user should know of how graphs were compiled; empty: nothing.
  std::string note() const;

 private:
  /// As the bundle has it, or cut into functions by OpenVINO's NPU wrapper.
  enum class Form { kWhole, kFolded };

  LoadedGraph import_or_compile(const GraphInfo& graph);
  std::optional<LoadedGraph> import(const GraphInfo& graph, Form form) const;
  LoadedGraph compile(const GraphInfo& graph, Form form) const;
  ov::AnyMap properties_of(Form form) const;
  /// The same, and that the weights stay in the .bin. No part of a blob's key.
  ov::AnyMap for_blobs(ov::AnyMap properties) const;
  std::string blob_key(const GraphInfo& graph, const ov::AnyMap& properties) const;

  const Bundle& bundle_;
  const EngineOptions options_;
  const std::string device_;
  const ov::AnyMap properties_;
  const std::string device_facts_;   // a line for each thing that a blob depends on
  std::atomic<bool> folds_ = false;  // whole graphs have run out of memory once
};

}  // namespace ovenbird
