// Any bytes as a session's record, or a good one scribbled on before it is opened and after: what
// is opened lies within its memory, and whatever is read from it stays in bounds.
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "base/limits.h"
#include "shared_bytes.h"
#include "wire/record.h"

namespace ovenbird::wire {
namespace {

/// Reads all there is, as a client and a worker would.
void use(const Record& record, std::span<const std::byte> memory) {
  OVENBIRD_CHECK(lies_in(record.tokens(), memory) && lies_in(record.logits(), memory));
  const Point point = record.point();
  OVENBIRD_CHECK(point.tokens <= record.tokens().size() && point.computed <= point.tokens);
  const auto said = record.tokens().first(point.tokens);
  volatile int64_t sum = std::accumulate(said.begin(), said.end(), int64_t{0});
  (void)sum;
  const LogitsPlace place = record.logits_place();
  OVENBIRD_CHECK(place.rows == 0 || place.first_row + place.rows <= int(record.shape().logit_rows));
  const size_t rows = size_t{place.rows} * record.shape().vocabulary;
  OVENBIRD_CHECK(place.rows == 0 || size_t{place.first_row} * record.shape().vocabulary + rows <=
                                        record.logits().size());
  const Error error = error_of(record.header().result);
  OVENBIRD_CHECK(error.code <= Code::kBusy && error.message.find('\n') == std::string::npos);
  OVENBIRD_CHECK(sampling_of(record.header().turn).logit_bias.size() <= kBiasesMax);
  (void)record.is_turn_under_way();
}

}  // namespace
}  // namespace ovenbird::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  using namespace ovenbird::wire;
  InputBytes input(data, size);
  const auto kind = input.next<uint8_t>();
  const Record::Shape shape{.session = 1,
                            .vocabulary = 1 + input.next<uint8_t>() % 70u,
                            .tokens_max = 1 + input.next<uint16_t>() % 3000u,
                            .logit_rows = input.next<uint8_t>() % 5u};
  const size_t bytes = Record::bytes_for(shape.tokens_max, shape.logit_rows, shape.vocabulary);
  open_shared<Record>(input, kind, shape, bytes, use);
  return 0;
}
