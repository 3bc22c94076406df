// Record: both ways through its bytes; opened from every cut and with each field of its header
// wrong, in memory behind which no page can be touched.
#include "wire/record.h"

#include <cstring>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "wire/spoiled_bytes.h"

namespace ovenbird::wire {
namespace {

constexpr Record::Shape kShape{
    .session = 77, .vocabulary = 100, .tokens_max = 5000, .logit_rows = 3};

size_t bytes_of(const Record::Shape& shape) {
  return Record::bytes_for(shape.tokens_max, shape.logit_rows, shape.vocabulary);
}

PageBytes new_record(const Record::Shape& shape = kShape) {
  PageBytes memory(bytes_of(shape));
  Record::create(memory.bytes(), shape);
  return memory;
}

RecordHeader& header_of(const PageBytes& memory) {
  return *reinterpret_cast<RecordHeader*>(memory.bytes().data());
}

TEST_CASE("a record is opened as it was made") {
  const PageBytes memory = new_record();
  const auto record = Record::open(memory.bytes());
  REQUIRE(record);
  CHECK(record->shape().session == 77);
  CHECK(record->shape().vocabulary == 100);
  CHECK(record->tokens().size() == 5000);
  CHECK(record->logits().size() == 300);
  CHECK(record->point().tokens == 0);
  CHECK(record->logits_place().rows == 0);
  CHECK(!record->is_turn_under_way());

  const auto* begin = memory.bytes().data();
  const auto* end = begin + memory.bytes().size();
  CHECK(reinterpret_cast<const std::byte*>(record->tokens().data()) == begin + kRecordHeaderBytes);
  CHECK(reinterpret_cast<const std::byte*>(&record->logits().back() + 1) <= end);
  CHECK(reinterpret_cast<uintptr_t>(record->logits().data()) % 4096 == 0);
}

TEST_CASE("the smallest record has one token and no logits") {
  const Record::Shape shape{.session = 1, .vocabulary = 1, .tokens_max = 1, .logit_rows = 0};
  const PageBytes memory = new_record(shape);
  const auto record = Record::open(memory.bytes());
  REQUIRE(record);
  CHECK(record->tokens().size() == 1);
  CHECK(record->logits().empty());
}

TEST_CASE("more memory than a record needs is left alone, less is refused, at every cut") {
  const PageBytes memory = new_record();
  const auto whole = memory.bytes();
  for (size_t bytes = 0; bytes < whole.size(); bytes += bytes < 20000 ? 1 : 997) {
    const PageBytes cut(whole.first(bytes));
    check_refusal(Record::open(cut.bytes()), Code::kCorrupt, std::to_string(bytes) + " bytes");
  }
  check_refusal(Record::open(whole.first(whole.size() - 1)), Code::kCorrupt, "should have");
  PageBytes longer(whole.size() + 1);
  std::memcpy(longer.bytes().data(), whole.data(), whole.size());
  CHECK(Record::open(longer.bytes()));
}

TEST_CASE("each field of the header that is wrong is called by its name") {
  const PageBytes memory = new_record();
  RecordHeader& header = header_of(memory);
  const auto refused = [&](auto& field, auto value, Code code, const std::string& part) {
    const auto right = field;
    field = value;
    check_refusal(Record::open(memory.bytes()), code, part);
    field = right;
    REQUIRE(Record::open(memory.bytes()));
  };
  for (const uint64_t bits : {uint64_t{0}, kRecordMagic + 1, ~kRecordMagic}) {
    refused(header.magic, bits, Code::kCorrupt, "first bytes");
  }
  for (const uint32_t version : {0u, kWireVersion + 1, ~0u}) {
    refused(header.version, version, Code::kUnsupported, "version " + std::to_string(version));
  }
  for (const uint32_t vocabulary : {0u, limits::kVocabularyMax + 1, ~0u}) {
    refused(header.vocabulary, vocabulary, Code::kCorrupt, "vocabulary is");
  }
  for (const uint32_t tokens : {0u, limits::kSessionTokensMax + 1, ~0u}) {
    refused(header.tokens_max, tokens, Code::kCorrupt, "tokens_max is");
  }
  for (const uint32_t rows : {limits::kLogitRowsMax + 1, ~0u}) {
    refused(header.logit_rows, rows, Code::kCorrupt, "logit_rows is");
  }
  for (const uint64_t offset : {uint64_t{0}, header.tokens_offset + 4, ~uint64_t{0}}) {
    refused(header.tokens_offset, offset, Code::kCorrupt, "tokens_offset is");
  }
  for (const uint64_t offset : {uint64_t{0}, header.logits_offset - 4, ~uint64_t{0}}) {
    refused(header.logits_offset, offset, Code::kCorrupt, "logits_offset is");
  }
  for (const uint64_t bytes : {uint64_t{0}, header.total_bytes - 1, ~uint64_t{0}}) {
    refused(header.total_bytes, bytes, Code::kCorrupt, "total_bytes is");
  }
}

TEST_CASE("sizes at their limits need the memory that they say") {
  const PageBytes memory = new_record();
  RecordHeader& header = header_of(memory);
  header.tokens_max = limits::kSessionTokensMax;
  header.vocabulary = limits::kVocabularyMax;
  header.logit_rows = limits::kLogitRowsMax;
  header.total_bytes = Record::bytes_for(header.tokens_max, header.logit_rows, header.vocabulary);
  header.logits_offset = kRecordHeaderBytes + size_t{header.tokens_max} * 4;
  CHECK(header.total_bytes == header.logits_offset + (uint64_t{1} << 31));
  check_refusal(Record::open(memory.bytes()), Code::kCorrupt, "should have");
}

TEST_CASE("whatever stands in the header, what is opened lies within the memory") {
  const PageBytes memory = new_record();
  const auto header = memory.bytes().first(offsetof(RecordHeader, orders));
  for_each_spoiled_byte(header, [&] {
    const auto record = Record::open(memory.bytes());
    if (!record) return;
    const auto* end = memory.bytes().data() + memory.bytes().size();
    CHECK(reinterpret_cast<const std::byte*>(record->tokens().data() + record->tokens().size()) <=
          end);
    CHECK(reinterpret_cast<const std::byte*>(record->logits().data() + record->logits().size()) <=
          end);
  });
}

TEST_CASE("what has been opened keeps its layout, whatever is written over it") {
  const PageBytes memory = new_record();
  const auto record = Record::open(memory.bytes());
  REQUIRE(record);
  std::memset(memory.bytes().data(), 0xff, sizeof(RecordHeader));
  CHECK(record->shape().tokens_max == 5000);
  CHECK(record->point().tokens == 5000);
  CHECK(record->point().computed == 5000);
  CHECK(record->logits_place().rows == 0);
  CHECK(error_of(record->header().result).code == Code::kInternal);
}

TEST_CASE("a point is never beyond the tokens, nor computed beyond the point") {
  const PageBytes memory = new_record();
  const Record record = *Record::open(memory.bytes());
  const auto kept = [&](Point point) {
    record.set_point(point);
    return record.point();
  };
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  CHECK(kept({4999, 4998}).tokens == 4999);
  CHECK(kept({4999, 4998}).computed == 4998);
  CHECK(kept({5000, 5000}).tokens == 5000);
  CHECK(kept({5001, 5001}).tokens == 5000);
  CHECK(kept({5001, 5001}).computed == 5000);
  CHECK(kept({kMost, 0}).tokens == 5000);
  CHECK(kept({kMost, 0}).computed == 0);
  CHECK(kept({7, 8}).computed == 7);
  CHECK(kept({0, kMost}).computed == 0);
}

TEST_CASE("a place of logits is within the record's rows, or there are none") {
  const PageBytes memory = new_record();
  const Record record = *Record::open(memory.bytes());
  const auto rows = [&](uint16_t first, uint16_t count) {
    record.set_logits_place({.step = 9, .first_row = first, .rows = count});
    CHECK(record.logits_place().step == 9);
    return record.logits_place().rows;
  };
  CHECK(rows(0, 3) == 3);
  CHECK(rows(2, 1) == 1);
  CHECK(rows(0, 4) == 0);
  CHECK(rows(1, 3) == 0);
  CHECK(rows(65535, 65535) == 0);
  CHECK(rows(3, 0) == 0);
}

TEST_CASE("a turn is under way from its order to its end, which says why and wakes") {
  const PageBytes memory = new_record();
  const Record record = *Record::open(memory.bytes());
  record.header().orders.turn_asked = 1;
  CHECK(record.is_turn_under_way());
  const uint32_t before = record.header().progress.wake;

  const Error error{Code::kDeviceLost, "step 4: it\nburns"};
  record.finish_turn(Finish::kFailed, &error);

  CHECK(!record.is_turn_under_way());
  CHECK(record.header().progress.turn_done == 1);
  CHECK(record.header().progress.wake == before + 1);
  CHECK(record.header().result.finish == static_cast<uint32_t>(Finish::kFailed));
  CHECK(error_of(record.header().result).code == Code::kDeviceLost);
  CHECK(error_of(record.header().result).message == "step 4: it\\x0aburns");

  record.header().orders.turn_asked = 2;
  record.finish_turn(Finish::kEnd, nullptr);
  CHECK(record.header().result.code == 0);
  CHECK(error_of(record.header().result).message.empty());
}

TEST_CASE("a message has room for all but its last byte, which is zero") {
  const PageBytes memory = new_record();
  const Record record = *Record::open(memory.bytes());
  for (const size_t bytes : {kMessageTextBytes - 2, kMessageTextBytes - 1, kMessageTextBytes}) {
    const Error error{Code::kInternal, std::string(bytes, 'x')};
    record.finish_turn(Finish::kFailed, &error);
    CHECK(record.header().result.message.back() == '\0');
    CHECK(error_of(record.header().result).message.size() ==
          std::min(bytes, kMessageTextBytes - 1));
  }
}

TEST_CASE("a message that is cut within a character ends before it") {
  const PageBytes memory = new_record();
  const Record record = *Record::open(memory.bytes());
  const Error error{Code::kInternal, std::string(kMessageTextBytes - 2, 'x') + "\xc3\xa4"};
  record.finish_turn(Finish::kFailed, &error);
  CHECK(error_of(record.header().result).message == std::string(kMessageTextBytes - 2, 'x'));
}

TEST_CASE("a message without an end, and a code that nobody knows, are read as they can be") {
  TurnResult result;
  result.message.fill('y');
  result.code = static_cast<uint32_t>(Code::kBusy) + 1;
  CHECK(error_of(result).code == Code::kInternal);
  CHECK(error_of(result).message == std::string(kMessageTextBytes, 'y'));
  result.code = static_cast<uint32_t>(Code::kBusy);
  CHECK(error_of(result).code == Code::kBusy);
}

TEST_CASE("sampling options come back, biases up to as many as there is room for") {
  SamplingOptions options{.temperature = 0.5F,
                          .top_k = 3,
                          .top_p = 0.25F,
                          .min_p = 0.125F,
                          .repetition_penalty = 2,
                          .presence_penalty = -1,
                          .frequency_penalty = 1.5F,
                          .seed = ~uint64_t{0}};
  Turn turn;
  turn.sampling = numbers_of(options);
  for (uint32_t i = 0; i < kBiasesMax; ++i) {
    turn.biases[i] = {.id = static_cast<int32_t>(i), .value = static_cast<float>(i)};
  }
  for (const uint32_t count : {0u, 1u, kBiasesMax, kBiasesMax + 1, ~0u}) {
    turn.bias_count = count;
    const SamplingOptions back = sampling_of(turn);
    CHECK(back.logit_bias.size() == std::min(count, kBiasesMax));
    CHECK(back.seed == options.seed);
    CHECK(back.temperature == 0.5F);
    CHECK(back.top_k == 3);
    CHECK(back.top_p == 0.25F);
    CHECK(back.min_p == 0.125F);
    CHECK(back.repetition_penalty == 2);
    CHECK(back.presence_penalty == -1);
    CHECK(back.frequency_penalty == 1.5F);
  }
}

}  // namespace
}  // namespace ovenbird::wire
