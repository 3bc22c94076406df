// What can be logits and what cannot, wherever in a row it shows.
#include "engine/logits_check.h"

#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <vector>

namespace ovenbird {
namespace {

std::vector<float> rising(size_t count) {
  std::vector<float> row(count);
  std::iota(row.begin(), row.end(), -3.0f);
  return row;
}

TEST_CASE("a number that is not finite is seen at every place of rows of every length") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const size_t vocabulary : {2, 15, 16, 17, 33, 100}) {
    CHECK(check_logits(rising(vocabulary), vocabulary));
    for (size_t at = 0; at < vocabulary; ++at) {
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
        std::vector<float> row = rising(vocabulary);
        row[at] = bad;
        const Status seen = check_logits(row, vocabulary);
        REQUIRE(!seen);
        CHECK(seen.error().code == Code::kBadOutput);
        CHECK(seen.error().message.find("not finite") != std::string::npos);
      }
    }
  }
}

TEST_CASE("a row that is one number everywhere is none, and one other number makes it one") {
  for (const size_t vocabulary : {2, 16, 17, 100}) {
    for (const float number : {0.0f, 1.5f, -30000.0f}) {
      std::vector<float> row(vocabulary, number);
      const Status seen = check_logits(row, vocabulary);
      REQUIRE(!seen);
      CHECK(seen.error().code == Code::kBadOutput);
      for (size_t at = 0; at < vocabulary; ++at) {
        row[at] = 2.0f;
        CHECK(check_logits(row, vocabulary));
        row[at] = number;
      }
    }
  }
  CHECK(check_logits(std::vector<float>{7.0f}, 1));  // nothing to differ from
}

TEST_CASE("extremes and subnormals are numbers") {
  std::vector<float> row = rising(20);
  row[3] = std::numeric_limits<float>::max();
  row[4] = std::numeric_limits<float>::lowest();
  row[5] = std::numeric_limits<float>::denorm_min();
  row[6] = -0.0f;
  CHECK(check_logits(row, row.size()));
}

TEST_CASE("the row that is wrong is named, whichever it is") {
  std::vector<float> rows = rising(60);
  rows[45] = std::numeric_limits<float>::quiet_NaN();
  const Status seen = check_logits(rows, 20);
  REQUIRE(!seen);
  CHECK(seen.error().message.starts_with("row 2 of the logits"));
}

}  // namespace
}  // namespace ovenbird
