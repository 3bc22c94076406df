// What bake refuses before it begins, and by which flag it calls it.
#include "bake/options.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "base/limits.h"

namespace ovenbird {
namespace {

void check_refused(const BakeOptions& options, const std::string& flag, const std::string& advice) {
  const Status valid = validate(options);
  REQUIRE(!valid);
  CAPTURE(valid.error().message);
  CHECK(valid.error().code == Code::kInvalidArgument);
  CHECK(valid.error().message.find(flag) != std::string::npos);
  CHECK(valid.error().message.find(advice) != std::string::npos);
}

TEST_CASE("what goes together is taken") {
  CHECK(validate({}));
  for (const WeightChoice weights : {WeightChoice::kInt4, WeightChoice::kF16, WeightChoice::kF32}) {
    CHECK(validate({.weights = weights}));
    CHECK(validate({.target = Target::kCpu, .weights = weights}));
  }
  CHECK(validate({.target = Target::kCpu, .weights = WeightChoice::kInt8}));
  CHECK(validate({.embedding = WeightChoice::kInt8}));
  for (const int32_t group : {128, -1}) CHECK(validate({.group_size = group}));
  for (const int32_t group : {32, 64, 96, 128, 192, 4096, -1}) {
    CHECK(validate({.target = Target::kCpu, .group_size = group, .asymmetric = true}));
  }
  CHECK(validate({.target = Target::kCpu, .weights = WeightChoice::kGguf}));
  CHECK(validate({.target = Target::kCpu, .embedding = WeightChoice::kGguf}));
  CHECK(validate({.target = Target::kCpu, .int8_layers = *MatrixList::parse("0,down")}));
  CHECK(validate({.f16_layers = *MatrixList::parse("0,down")}));
  for (const double ratio : {0.0, 0.8, 1.0}) CHECK(validate({.int4_ratio = ratio}));
  for (const uint32_t context : {1u, limits::kContextMax}) CHECK(validate({.context = context}));
}

TEST_CASE("each refusal names the flag, and what it may be") {
  check_refused({.group_size = 32}, "--group-size 32", "--for cpu");
  check_refused({.target = Target::kCpu, .group_size = 0}, "--group-size 0", "multiple of 32");
  check_refused({.target = Target::kCpu, .group_size = 16}, "--group-size 16", "multiple of 32");
  check_refused({.target = Target::kCpu, .group_size = 4128}, "--group-size 4128", "4096");
  check_refused({.target = Target::kCpu, .group_size = -2}, "--group-size -2", "-1");
  check_refused({.weights = WeightChoice::kInt8, .group_size = 128}, "--group-size",
                "--weights int4");
  check_refused({.weights = WeightChoice::kGguf}, "--weights gguf", "--for cpu");
  check_refused({.weights = WeightChoice::kInt8}, "--weights int8", "--for cpu");
  check_refused({.weights = WeightChoice::kNf4}, "--weights nf4", "--for cpu");
  check_refused({.embedding = WeightChoice::kNf4}, "--embedding int4 and nf4", "8 bit");
  check_refused({.embedding = WeightChoice::kGguf}, "--embedding gguf", "--for cpu");
  check_refused({.embedding = WeightChoice::kInt4}, "--embedding int4", "8 bit");
  check_refused({.asymmetric = true}, "--asymmetric", "--for cpu");
  check_refused({.target = Target::kCpu, .weights = WeightChoice::kF16, .asymmetric = true},
                "--asymmetric", "--weights int4");
  check_refused({.int8_layers = *MatrixList::parse("0")}, "--int8-layers", "--f16-layers");
  for (const WeightChoice weights : {WeightChoice::kF16, WeightChoice::kF32}) {
    check_refused({.weights = weights, .f16_layers = *MatrixList::parse("0")}, "--f16-layers",
                  "--weights int4");
    check_refused({.weights = weights, .int4_ratio = 0.5}, "--int4-ratio", "--weights int4");
  }
  for (const double ratio : {-0.1, 1.1, std::nan("")}) {
    check_refused({.int4_ratio = ratio}, "--int4-ratio", "0 to 1");
  }
  check_refused({.context = 0}, "--context 0", "1 to");
  check_refused({.context = limits::kContextMax + 1}, "--context", "1 to");
}

TEST_CASE("a list may name the model's layers only") {
  const BakeOptions options{.target = Target::kCpu,
                            .int8_layers = *MatrixList::parse("0,3-5.down"),
                            .f16_layers = *MatrixList::parse("qkv")};
  CHECK(validate_layers(options, 6));
  const Status refused = validate_layers(options, 5);
  REQUIRE(!refused);
  CHECK(refused.error().code == Code::kInvalidArgument);
  CHECK(refused.error().message.find("--int8-layers: there is no layer 5") != std::string::npos);
}

}  // namespace
}  // namespace ovenbird
