// Lists of matrices: what they name, and what is said of those that name nothing.
#include "bake/matrix_list.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "bake/layer_groups.h"

namespace ovenbird {
namespace {

constexpr uint32_t kLayers = 6;

/// "0.qkv 0.down ..." of a model of six layers.
std::string named_by(const MatrixList& list) {
  std::string names;
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    for (const LayerGroup& group : kLayerGroups) {
      if (!list.contains(layer, group.part)) continue;
      names += std::to_string(layer) + "." + group.part + " ";
    }
  }
  return names;
}

std::string named_by(const std::string& text) {
  const Result<MatrixList> list = MatrixList::parse(text);
  if (!list) return list.error().message;
  return named_by(*list);
}

TEST_CASE("layers, parts, and parts of layers") {
  CHECK(named_by("3") == "3.qkv 3.output 3.gate_up 3.down ");
  CHECK(named_by("4-5.down") == "4.down 5.down ");
  CHECK(named_by("output") == "0.output 1.output 2.output 3.output 4.output 5.output ");
  CHECK(named_by("0.qkv,5,2-2.gate_up") == "0.qkv 2.gate_up 5.qkv 5.output 5.gate_up 5.down ");
  CHECK(named_by(MatrixList()) == "");
}

TEST_CASE("what was added is there") {
  MatrixList list;
  CHECK(list.empty());
  CHECK(!list.last_layer());
  list.add(2, "down");
  CHECK(named_by(list) == "2.down ");
  CHECK(!list.empty());
  CHECK(list.last_layer() == 2);
}

TEST_CASE("the last layer that is named") {
  CHECK(MatrixList::parse("1,3-7,2")->last_layer() == 7);
  CHECK(!MatrixList::parse("down,qkv")->last_layer());
}

TEST_CASE("an item that names nothing is told, with what may stand there") {
  for (const std::string item : {"", "x", "-1", "3-1", "1-", "-", "1.", ".down", "1.head", "1-2-3",
                                 " 1", "1 ", "down.1", "99999999999", "1.down.down", "1;2"}) {
    for (const std::string& text : {item, "0," + item, item + ",down"}) {
      CAPTURE(text);
      const Result<MatrixList> list = MatrixList::parse(text);
      REQUIRE(!list);
      CHECK(list.error().code == Code::kInvalidArgument);
      CHECK(list.error().message.find("\"" + item + "\"") != std::string::npos);
      CHECK(list.error().message.find("0-3.down") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace ovenbird
