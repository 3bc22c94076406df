// Any bytes as a safetensors file, beside any text as its config.json: they are refused, or every
// row of every weight can be read. Input: how many bytes of tail end the file (u32), config.json, a
// NUL, and the file up to its tail.
#include "checkpoint/safetensors_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/hugging_face_config.h"
#include "checkpoint/weight_table.h"
#include "filled_tail.h"
#include "heap_bound.h"
#include "json_mutator.h"
#include "read_weights.h"
#include "shared_bytes.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

struct Input {
  uint32_t tail_bytes = 0;
  std::string config;
  std::span<const uint8_t> file;  // without its tail
};

Input take_apart(const uint8_t* data, size_t size) {
  InputBytes bytes(data, size);
  Input input{.tail_bytes = bytes.next<uint32_t>(), .config = {}, .file = {}};
  const auto rest = bytes.take(size);
  const auto nul = std::find(rest.begin(), rest.end(), 0);
  input.config.assign(rest.begin(), nul);
  input.file = {nul == rest.end() ? nul : nul + 1, rest.end()};
  return input;
}

void check_tensors(const std::vector<StoredTensor>& tensors, size_t file_bytes) {
  size_t covered = 0;
  for (const StoredTensor& tensor : tensors) {
    covered += tensor.bytes.size();
    const BlockLayout block = block_layout(tensor.type);
    std::vector<float> numbers(tensor.bytes.size() / block.bytes * block.elements);
    dequantize(tensor.type, tensor.bytes, numbers);
  }
  OVENBIRD_CHECK(covered < file_bytes);
}

Result<std::vector<StoredTensor>> read_file(const Input& input,
                                            const std::vector<std::byte>& file) {
  const HeapBound bound(input.file.size());
  return read_safetensors(file);
}

Result<WeightTable> read_weights(const Input& input, const std::vector<StoredTensor>& tensors) {
  const HeapBound bound(input.config.size() + input.file.size());
  const Result<Json> json = parse_json(input.config);
  if (!json) return Failure{json.error()};
  const auto model = hugging_face_model(*json, nullptr);
  if (!model) return Failure{model.error()};
  return WeightTable::bind(model->config, model->weights, NameStyle::kHuggingFace, tensors);
}

/// Bytes of an entry's shape and dtype; any number if it has none.
uint64_t bytes_of(const Json& entry) {
  if (!entry.is_object()) return 0;
  const auto shape = entry.find("shape");
  uint64_t bytes = entry.value("dtype", Json()) == "F32" ? 4 : 2;
  if (shape == entry.end()) return bytes;
  for (const Json& size : *shape) bytes *= size.is_number_unsigned() ? size.get<uint64_t>() : 1;
  return bytes;
}

/// Gives each tensor the place behind the one before; returns where the last one ends.
uint64_t lay_out(Json& header) {
  uint64_t end = 0;
  for (auto& [name, entry] : header.items()) {
    if (name == "__metadata__" || !entry.is_object()) continue;
    const uint64_t first = end;
    end += bytes_of(entry);
    entry["data_offsets"] = {first, end};
  }
  return end;
}

std::string joined(uint32_t tail_bytes, const std::string& config, const std::string& header) {
  const uint64_t length = header.size();
  std::string out(reinterpret_cast<const char*>(&tail_bytes), sizeof tail_bytes);
  out += config;
  out += '\0';
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  return out + header;
}

}  // namespace
}  // namespace ovenbird

/// Keeps the framing, and mostly the order of the data, around a changed header.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  using namespace ovenbird;
  Chance chance(seed);
  const Input input = take_apart(data, size);
  if (input.file.size() < sizeof(uint64_t) || chance.one_in(16)) {
    return LLVMFuzzerMutate(data, size, size_max);
  }
  const auto text = input.file.subspan(sizeof(uint64_t));
  std::string header(text.begin(), text.end());
  if (chance.one_in(4)) {
    return hand_over(joined(input.tail_bytes, mutated_json(input.config, chance), header), data,
                     size_max);
  }
  header = mutated_json(header, chance);
  uint32_t tail_bytes = input.tail_bytes;
  Result<nlohmann::json> parsed = parse_json(header);
  if (parsed && parsed->is_object() && !chance.one_in(4)) {
    tail_bytes = static_cast<uint32_t>(lay_out(*parsed));
    header = parsed->dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
  }
  return hand_over(joined(tail_bytes, input.config, header), data, size_max);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const Input input = take_apart(data, size);
  const std::vector<std::byte> file = with_tail(input.file, input.tail_bytes);
  const auto tensors = read_file(input, file);
  if (!tensors) {
    OVENBIRD_CHECK(!tensors.error().message.empty());
    return 0;
  }
  check_tensors(*tensors, file.size());
  const Result<WeightTable> weights = read_weights(input, *tensors);
  if (!weights) {
    OVENBIRD_CHECK(!weights.error().message.empty());
    return 0;
  }
  for (const Tensor& tensor : weights->tensors()) read_every_row(tensor);
  return 0;
}
