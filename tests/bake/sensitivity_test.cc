// The choice of matrices that are stored in more bits.
#include "bake/sensitivity.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "bake/layer_groups.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {
namespace {

const std::vector<GroupLoss> kLosses = {{0, "qkv", 100, 1.0},
                                        {0, "down", 300, 6.0},   // 2 a weight
                                        {1, "qkv", 100, 5.0},    // 5
                                        {1, "down", 500, 4.0}};  // 0.8

std::string chosen_at(double ratio, const std::string& named = "") {
  const MatrixList list =
      widest(kLosses, ratio, named.empty() ? MatrixList() : *MatrixList::parse(named));
  std::string names;
  for (const GroupLoss& group : kLosses) {
    if (list.contains(group.layer, group.part)) {
      names += std::to_string(group.layer) + "." + group.part + " ";
    }
  }
  return names;
}

TEST_CASE("the largest loss for each weight is taken first, until the share is met") {
  CHECK(chosen_at(1.0) == "");
  CHECK(chosen_at(0.95) == "1.qkv ");
  CHECK(chosen_at(0.9) == "1.qkv ");
  CHECK(chosen_at(0.89) == "0.down 1.qkv ");
  CHECK(chosen_at(0.6) == "0.down 1.qkv ");
  CHECK(chosen_at(0.5) == "0.qkv 0.down 1.qkv ");
  CHECK(chosen_at(0.0) == "0.qkv 0.down 1.qkv 1.down ");
}

TEST_CASE("what a list names already counts") {
  CHECK(chosen_at(1.0, "1.down") == "1.down ");
  CHECK(chosen_at(0.5, "1.down") == "1.down ");
  CHECK(chosen_at(0.45, "1.down") == "1.qkv 1.down ");
}

TEST_CASE("the loss of a group is what its rounding does to its layer") {
  auto opened = open_checkpoint(OVENBIRD_TEST_DATA "/golden/llama_gqa");
  REQUIRE(opened);
  const Checkpoint& checkpoint = **opened;
  const auto losses_with = [&](const BakeOptions& options) {
    auto losses = group_losses(checkpoint, checkpoint.config(), options,
                               random_windows(checkpoint.config().vocabulary), {});
    REQUIRE(losses);
    return *losses;
  };
  const auto four_bits = losses_with({});
  const auto eight_bits = losses_with({.target = Target::kCpu, .weights = WeightChoice::kInt8});
  REQUIRE(four_bits.size() == checkpoint.config().layers * kLayerGroups.size());
  REQUIRE(eight_bits.size() == four_bits.size());
  for (size_t i = 0; i < four_bits.size(); ++i) {
    CAPTURE(four_bits[i].part);
    CHECK(four_bits[i].loss > 1e-6);
    CHECK(four_bits[i].loss < 0.1);
    CHECK(four_bits[i].weights > 0);
    CHECK(eight_bits[i].loss < 0.02 * four_bits[i].loss);  // errors are 16 times smaller
    CHECK(eight_bits[i].loss > 0);
  }
  // What is exact changes nothing.
  for (const GroupLoss& group : losses_with({.weights = WeightChoice::kF32})) {
    CHECK(group.loss < 1e-12);
  }
}

TEST_CASE("losses end when they are told to") {
  auto opened = open_checkpoint(OVENBIRD_TEST_DATA "/golden/llama_gqa");
  REQUIRE(opened);
  int asked = 0;
  const auto losses = group_losses(**opened, (*opened)->config(), {},
                                   random_windows((*opened)->config().vocabulary),
                                   [&](uint64_t) { return ++asked < 20; });
  REQUIRE(!losses);
  CHECK(losses.error().code == Code::kInterrupted);
}

}  // namespace
}  // namespace ovenbird
