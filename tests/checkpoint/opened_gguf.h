// A small GGUF written to a file and opened.
#pragma once

#include <memory>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/tiny_gguf.h"
#include "support/temporary_directory.h"

namespace ovenbird {

/// An opened TinyGguf, with the directory that it lies in.
struct Opened {
  TemporaryDirectory directory;
  std::unique_ptr<Checkpoint> checkpoint;

  explicit Opened(const TinyGguf& file) {
    auto opened = open_checkpoint(directory.write("tiny.gguf", file.bytes()));
    if (!opened) FAIL(opened.error().message);
    checkpoint = *std::move(opened);
  }
  const ModelConfig& config() const { return checkpoint->config(); }
  const GgufVocabulary& vocabulary() const {
    return std::get<GgufVocabulary>(checkpoint->tokenizer());
  }
  nlohmann::json json() const { return *parse_json(checkpoint->config_json()); }
};

inline std::vector<float> row_of(const Tensor& tensor, uint64_t row) {
  std::vector<float> out(tensor.columns);
  dequantize(tensor.type, tensor.row(row), out);
  return out;
}

}  // namespace ovenbird
