// dequantize() against gguf-py's numbers, bit for bit: tests/data/checkpoint/make_goldens.py.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include "base/mapped_file.h"
#include "checkpoint/byte_cursor.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {
namespace {

constexpr ElementType kTypes[] = {ElementType::kF32,  ElementType::kF16,  ElementType::kBF16,
                                  ElementType::kQ4_0, ElementType::kQ4_1, ElementType::kQ5_0,
                                  ElementType::kQ5_1, ElementType::kQ8_0, ElementType::kQ4_K,
                                  ElementType::kQ5_K, ElementType::kQ6_K};

struct Golden {
  uint32_t blocks, block_bytes, numbers;
  std::vector<std::byte> rows;
  std::vector<float> values;
};

Golden read_golden(ElementType type) {
  const auto file = MappedFile::open(std::string(OVENBIRD_TEST_DATA "/checkpoint/blocks_") +
                                     name_of(type) + ".bin");
  REQUIRE(file.has_value());
  ByteCursor cursor(file->bytes());
  Golden golden{.blocks = cursor.number<uint32_t>().value(),
                .block_bytes = cursor.number<uint32_t>().value(),
                .numbers = cursor.number<uint32_t>().value(),
                .rows = {},
                .values = {}};
  const auto rows = cursor.bytes(uint64_t{golden.blocks} * golden.block_bytes).value();
  golden.rows.assign(rows.begin(), rows.end());
  golden.values.resize(size_t{golden.blocks} * golden.numbers);
  const auto values = cursor.bytes(golden.values.size() * sizeof(float)).value();
  std::memcpy(golden.values.data(), values.data(), values.size());
  REQUIRE(cursor.left() == 0);
  return golden;
}

bool is_same(float seen, float wanted) {
  if (std::isnan(wanted)) return std::isnan(seen);
  return std::bit_cast<uint32_t>(seen) == std::bit_cast<uint32_t>(wanted);
}

TEST_CASE("a block is as large as the format says") {
  for (const ElementType type : kTypes) {
    CAPTURE(name_of(type));
    const Golden golden = read_golden(type);
    CHECK(block_layout(type).bytes == golden.block_bytes);
    CHECK(block_layout(type).elements == golden.numbers);
  }
}

TEST_CASE("every type gives the reference's numbers, bit for bit") {
  for (const ElementType type : kTypes) {
    CAPTURE(name_of(type));
    const Golden golden = read_golden(type);
    std::vector<float> seen(golden.values.size(), -1.0f);

    dequantize(type, golden.rows, seen);

    int wrong = 0;
    for (size_t index = 0; index < seen.size(); ++index) {
      if (!is_same(seen[index], golden.values[index])) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a row may begin at any address and may be empty") {
  const Golden golden = read_golden(ElementType::kQ4_K);
  std::vector<std::byte> shifted(golden.rows.size() + 1);
  std::memcpy(shifted.data() + 1, golden.rows.data(), golden.rows.size());
  std::vector<float> seen(golden.values.size());

  dequantize(ElementType::kQ4_K, std::span(shifted).subspan(1), seen);
  CHECK(is_same(seen[300], golden.values[300]));

  dequantize(ElementType::kF32, {}, {});
  dequantize(ElementType::kQ8_0, {}, {});
}

TEST_CASE("rows of interleaved heads are found where the file keeps them") {
  // Two heads of four rows; a row holds its number in the model's order.
  const std::vector<float> stored = {0, 2, 1, 3, 4, 6, 5, 7};
  const Tensor tensor{.name = "q",
                      .type = ElementType::kF32,
                      .rows = 8,
                      .columns = 1,
                      .bytes = std::as_bytes(std::span(stored)),
                      .interleaved_heads = 2};
  for (uint64_t row = 0; row < 8; ++row) {
    float value = -1;
    dequantize(tensor.type, tensor.row(row), {&value, 1});
    CHECK(value == static_cast<float>(row));
  }
}

}  // namespace
}  // namespace ovenbird
