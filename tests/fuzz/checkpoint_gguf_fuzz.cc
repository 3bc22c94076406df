// Any bytes as a GGUF file: they open or are refused; what opens can be read row by row.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/gguf_model.h"

namespace {

void read_first_rows(const ovenbird::GgufModel& model) {
  for (const ovenbird::Tensor& tensor : model.weights.tensors()) {
    std::vector<float> numbers(tensor.columns);
    ovenbird::dequantize(tensor.type, tensor.row(tensor.rows - 1), numbers);
  }
  const auto frequencies = ovenbird::rope_frequencies(model.config.rope, model.config.rotary_dim);
  OVENBIRD_CHECK(frequencies.size() == model.config.head_dim / 2);
  OVENBIRD_CHECK(!ovenbird::config_json_of(model.config, {.dtype = "float16"}).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto model = ovenbird::read_gguf_model(bytes)) {
    read_first_rows(*model);
  } else {
    OVENBIRD_CHECK(!model.error().message.empty());
  }
  return 0;
}
