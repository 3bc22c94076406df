// A small Hugging Face directory in parts, so that a test can spoil any one of them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/temporary_directory.h"

namespace ovenbird {

/// One .safetensors file.
struct TinySafetensors {
  nlohmann::json header = nlohmann::json::object();
  std::string data;

  /// Appends F32 zeros.
  void add(const std::string& name, const std::vector<uint64_t>& shape);
  void add_bytes(const std::string& name, const std::string& dtype,
                 const std::vector<uint64_t>& shape, const std::string& bytes);
  std::string bytes() const;
};

/// A whole file from the text of its header.
std::string safetensors_of(const std::string& header, const std::string& data);

struct TinyHuggingFace {
  nlohmann::json config;
  TinySafetensors weights;

  /// Writes config.json and model.safetensors.
  void write(const TemporaryDirectory& directory) const;
};

/// One layer of llama, F32: hidden 8, 2 heads over 1 of 4, MLP 12, 5 tokens, tied.
TinyHuggingFace good_hugging_face();

}  // namespace ovenbird
