// Any bytes as a GGUF file: it is refused, or every row of every weight can be read, and a config
// and, mostly, a tokenizer be made of it. Input: how many bytes of tail end the file (u32), and the
// file up to them.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf_model.h"
#include "filled_tail.h"
#include "gguf_mutator.h"
#include "heap_bound.h"
#include "read_weights.h"
#include "shared_bytes.h"
#include "text/tokenizer.h"

namespace ovenbird {
namespace {

void check_model(const GgufModel& model) {
  for (const Tensor& tensor : model.weights.tensors()) read_every_row(tensor);
  check_ropes(model.config);
  OVENBIRD_CHECK(!config_json_of(model.config, {.dtype = "float16"}).empty());
}

/// The vocabulary alone: it may be whole where the weights are not.
void use_vocabulary(std::span<const std::byte> file, size_t front_bytes) {
  const HeapBound bound(front_bytes);
  auto parts = read_gguf(file);
  if (!parts) return;
  const auto vocabulary = gguf_vocabulary(parts->metadata);
  if (!vocabulary) return;
  Result<TokenizerSpec> spec = tokenizer_spec_from_gguf(*vocabulary);
  if (!spec) return;
  const Result<Tokenizer> tokenizer = Tokenizer::create(*std::move(spec));
  if (!tokenizer) return;
  const auto ids = tokenizer->encode("Hello  w\xC3\xB6rld <s>123\n", SpecialText::kIsToken);
  if (ids) tokenizer->decode(*ids, SpecialTokens::kShown);
}

/// Through the room's door, where llama's rows get their order.
void open_as_file(std::span<const std::byte> bytes) {
  const FileDescriptor made(::memfd_create("gguf", MFD_CLOEXEC));
  OVENBIRD_CHECK(::write(made.get(), bytes.data(), bytes.size()) == ssize_t(bytes.size()));
  const auto checkpoint = open_checkpoint("/proc/self/fd/" + std::to_string(made.get()));
  OVENBIRD_CHECK(checkpoint.has_value());
  const ModelConfig& config = (*checkpoint)->config();
  for (size_t kind = 0; kind < kWeightKinds; ++kind) {
    for (uint32_t layer = 0; layer < config.layers; ++layer) {
      const Tensor* tensor = (*checkpoint)->find(static_cast<Weight>(kind), layer);
      if (tensor) read_every_row(*tensor);
    }
  }
  OVENBIRD_CHECK(!(*checkpoint)->config_json().empty());
  OVENBIRD_CHECK((*checkpoint)->description().find('\n') == std::string::npos);
}

}  // namespace
}  // namespace ovenbird

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  using namespace ovenbird;
  Chance chance(seed);
  InputBytes input(data, size);
  auto tail_bytes = input.next<uint32_t>();
  auto parts = parts_of_gguf(std::as_bytes(input.take(size)));
  if (!parts || chance.one_in(8)) return LLVMFuzzerMutate(data, size, size_max);
  mutate(*parts, chance);
  if (!chance.one_in(4)) tail_bytes = static_cast<uint32_t>(lay_out(*parts));
  std::string out(reinterpret_cast<const char*>(&tail_bytes), sizeof tail_bytes);
  return hand_over(out + gguf_of(*parts), data, size_max);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  InputBytes input(data, size);
  const auto tail_bytes = input.next<uint32_t>();
  const auto front = input.take(size);
  const std::vector<std::byte> file = with_tail(front, tail_bytes);
  use_vocabulary(file, front.size());
  const auto model = [&] {
    const HeapBound bound(front.size());
    return read_gguf_model(file);
  }();
  if (!model) {
    OVENBIRD_CHECK(!model.error().message.empty());
    return 0;
  }
  check_model(*model);
  open_as_file(file);
  return 0;
}
