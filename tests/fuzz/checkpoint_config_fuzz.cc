// Any text as config.json, and, behind a NUL, as generation_config.json (without one: the same text
// again): a model that is accepted has rotations that can be computed and tokens that it can
// produce.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "checkpoint/hugging_face_config.h"
#include "checkpoint/openvino_export.h"
#include "heap_bound.h"
#include "read_weights.h"

namespace ovenbird {
namespace {

void check(const ConfigJson& json) {
  const auto facts = read_export_facts(json, limits::kVocabularyMax);
  OVENBIRD_CHECK(facts || !facts.error().message.empty());
  const auto model = hugging_face_model(json.config, json.generation);
  if (!model) {
    OVENBIRD_CHECK(!model.error().message.empty());
    return;
  }
  const ModelConfig& config = model->config;
  check_ropes(config);
  OVENBIRD_CHECK(config.layer_facts.empty() || config.layer_facts.size() == config.layers);
  for (const int64_t id : config.eos_ids) OVENBIRD_CHECK(id >= 0 && id < config.vocabulary);
}

}  // namespace
}  // namespace ovenbird

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const HeapBound bound(2 * size);  // it may be read twice
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\0');
  auto config = parse_json(text.substr(0, cut));
  auto generation = parse_json(cut == text.npos ? text : text.substr(cut + 1));
  if (config && generation) {
    check({.config = *std::move(config), .generation = *std::move(generation)});
  }
  return 0;
}
