// Making, checking and changing a session's record.
#include "wire/record.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "base/futex.h"
#include "base/limits.h"
#include "base/message_text.h"
#include "base/page_memory.h"
#include "wire/copied_once.h"
#include "wire/fixed_text.h"

namespace ovenbird::wire {
namespace {

static_assert(kBiasesMax == limits::kLogitBiasEntriesMax);

size_t logits_offset(uint32_t tokens_max) {
  return kRecordHeaderBytes + round_up_to_page(size_t{tokens_max} * sizeof(int32_t));
}

size_t logits_bytes(uint32_t rows, uint32_t vocabulary) {
  return round_up_to_page(size_t{rows} * vocabulary * sizeof(float));
}

Failure broken(const std::string& what) { return fail(Code::kCorrupt, "session record: " + what); }

Failure wrong(const std::string& field, uint64_t value) {
  return broken("its " + field + " is " + std::to_string(value));
}

/// The most bytes up to `bytes_max` that end between two characters of a well-formed text.
size_t cut_to(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text.size();
  size_t bytes = bytes_max;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return bytes;
}

/// What never changes in a record's header.
struct Layout {
  uint64_t magic;
  uint32_t version;
  uint32_t vocabulary;
  uint64_t session;
  uint64_t total_bytes;
  uint64_t tokens_offset;
  uint64_t logits_offset;
  uint32_t tokens_max;
  uint32_t logit_rows;
};
static_assert(offsetof(Layout, logit_rows) == offsetof(RecordHeader, logit_rows));
static_assert(offsetof(Layout, tokens_offset) == offsetof(RecordHeader, tokens_offset));

/// A shape whose sizes can be computed with. Errors: kCorrupt.
Result<Record::Shape> shape_of(const Layout& layout) {
  if (layout.vocabulary == 0 || layout.vocabulary > limits::kVocabularyMax) {
    return wrong("vocabulary", layout.vocabulary);
  }
  if (layout.tokens_max == 0 || layout.tokens_max > limits::kSessionTokensMax) {
    return wrong("tokens_max", layout.tokens_max);
  }
  if (layout.logit_rows > limits::kLogitRowsMax) return wrong("logit_rows", layout.logit_rows);
  if (layout.tokens_offset != kRecordHeaderBytes) {
    return wrong("tokens_offset", layout.tokens_offset);
  }
  if (layout.logits_offset != logits_offset(layout.tokens_max)) {
    return wrong("logits_offset", layout.logits_offset);
  }
  return Record::Shape{.session = layout.session,
                       .vocabulary = layout.vocabulary,
                       .tokens_max = layout.tokens_max,
                       .logit_rows = layout.logit_rows};
}

}  // namespace

size_t Record::bytes_for(uint32_t tokens_max, uint32_t logit_rows, uint32_t vocabulary) {
  return logits_offset(tokens_max) + logits_bytes(logit_rows, vocabulary);
}

Record::Record(std::span<std::byte> memory, const Shape& shape)
    : shape_(shape),
      header_(reinterpret_cast<RecordHeader*>(memory.data())),
      tokens_(reinterpret_cast<int32_t*>(memory.data() + kRecordHeaderBytes), shape.tokens_max),
      logits_(reinterpret_cast<float*>(memory.data() + logits_offset(shape.tokens_max)),
              size_t{shape.logit_rows} * shape.vocabulary) {}

Record Record::create(std::span<std::byte> memory, const Shape& shape) {
  auto* header = new (memory.data()) RecordHeader();
  header->version = kWireVersion;
  header->vocabulary = shape.vocabulary;
  header->session = shape.session;
  header->total_bytes = bytes_for(shape.tokens_max, shape.logit_rows, shape.vocabulary);
  header->tokens_offset = kRecordHeaderBytes;
  header->logits_offset = logits_offset(shape.tokens_max);
  header->tokens_max = shape.tokens_max;
  header->logit_rows = shape.logit_rows;
  header->magic = kRecordMagic;
  return Record(memory, shape);
}

Result<Record> Record::open(std::span<std::byte> memory) {
  if (memory.size() < kRecordHeaderBytes) {
    return broken("it has " + std::to_string(memory.size()) + " bytes, which hold no header");
  }
  // Copied before anything is checked: nobody can change what has been checked.
  const auto layout = copied_once<Layout>(memory);
  if (layout.magic != kRecordMagic) return broken("its first bytes are not those of a record");
  if (layout.version != kWireVersion) {
    return fail(Code::kUnsupported, "session record: version " + std::to_string(layout.version) +
                                        "; this program knows " + std::to_string(kWireVersion) +
                                        ": let both sides be of one release");
  }
  const Result<Shape> shape = shape_of(layout);
  if (!shape) return Failure{shape.error()};
  const size_t bytes = bytes_for(shape->tokens_max, shape->logit_rows, shape->vocabulary);
  if (layout.total_bytes != bytes) return wrong("total_bytes", layout.total_bytes);
  if (memory.size() < bytes) {
    return broken("it has " + std::to_string(memory.size()) + " bytes and should have " +
                  std::to_string(bytes));
  }
  return Record(memory, *shape);
}

Point Record::point() const {
  const uint64_t both = header_->progress.point.load(std::memory_order_acquire);
  const uint32_t tokens = std::min(static_cast<uint32_t>(both), shape_.tokens_max);
  return {.tokens = tokens, .computed = std::min(static_cast<uint32_t>(both >> 32), tokens)};
}

void Record::set_point(Point point) const {
  header_->progress.point.store(uint64_t{point.computed} << 32 | point.tokens,
                                std::memory_order_release);
}

LogitsPlace Record::logits_place() const {
  const uint64_t all = header_->progress.logits.load(std::memory_order_acquire);
  LogitsPlace place{.step = static_cast<uint32_t>(all >> 32),
                    .first_row = static_cast<uint16_t>(all >> 16),
                    .rows = static_cast<uint16_t>(all)};
  if (uint32_t{place.first_row} + place.rows > shape_.logit_rows) place.rows = 0;
  return place;
}

void Record::set_logits_place(LogitsPlace place) const {
  header_->progress.logits.store(
      uint64_t{place.step} << 32 | uint64_t{place.first_row} << 16 | place.rows,
      std::memory_order_release);
}

bool Record::is_turn_under_way() const {
  return header_->orders.turn_asked.load(std::memory_order_acquire) !=
         header_->progress.turn_done.load(std::memory_order_acquire);
}

void Record::wake() const {
  header_->progress.wake.fetch_add(1, std::memory_order_release);
  futex_wake(header_->progress.wake);
}

void Record::finish_turn(Finish finish, const Error* error) const {
  TurnResult& result = header_->result;
  result.finish = static_cast<uint32_t>(finish);
  result.code = error ? static_cast<uint32_t>(error->code) : 0;
  result.message.fill(0);
  if (error) {
    const std::string line = one_line(error->message);
    std::memcpy(result.message.data(), line.data(), cut_to(line, kMessageTextBytes - 1));
  }
  header_->progress.turn_done.store(header_->orders.turn_asked.load(std::memory_order_acquire),
                                    std::memory_order_release);
  wake();
}

Error error_of(const TurnResult& result) {
  const auto copy = copied_once<TurnResult>(std::as_bytes(std::span(&result, 1)));
  return {code_of(copy.code), one_line(text_in(copy.message))};
}

SamplingOptions sampling_of(const Turn& turn) {
  const Sampling& numbers = turn.sampling;
  SamplingOptions options{.temperature = numbers.temperature,
                          .top_k = numbers.top_k,
                          .top_p = numbers.top_p,
                          .min_p = numbers.min_p,
                          .repetition_penalty = numbers.repetition_penalty,
                          .presence_penalty = numbers.presence_penalty,
                          .frequency_penalty = numbers.frequency_penalty,
                          .seed = numbers.seed};
  const uint32_t biases = std::min(turn.bias_count, kBiasesMax);
  for (uint32_t i = 0; i < biases; ++i) {
    options.logit_bias[turn.biases[i].id] = turn.biases[i].value;
  }
  return options;
}

Sampling numbers_of(const SamplingOptions& options) {
  return {.seed = options.seed,
          .temperature = options.temperature,
          .top_k = options.top_k,
          .top_p = options.top_p,
          .min_p = options.min_p,
          .repetition_penalty = options.repetition_penalty,
          .presence_penalty = options.presence_penalty,
          .frequency_penalty = options.frequency_penalty};
}

}  // namespace ovenbird::wire
