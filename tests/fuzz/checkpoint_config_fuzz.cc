// Any text as config.json, and again as generation_config.json: a model that is accepted has
// rotations that can be computed and tokens that it can produce.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/json.h"
#include "checkpoint/hugging_face_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = ovenbird::parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  const auto model = ovenbird::hugging_face_model(*json, *json);
  if (!model) {
    OVENBIRD_CHECK(!model.error().message.empty());
    return 0;
  }
  const ovenbird::ModelConfig& config = model->config;
  for (const uint32_t context : {1U, config.context}) {
    const ovenbird::Rope rope = ovenbird::rope_for_context(config.rope, context);
    for (const double frequency : ovenbird::rope_frequencies(rope, config.rotary_dim)) {
      OVENBIRD_CHECK(std::isfinite(frequency));
    }
  }
  for (const int64_t id : model->config.eos_ids) OVENBIRD_CHECK(id < model->config.vocabulary);
  return 0;
}
