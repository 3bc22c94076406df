// The table of NPUs: each number is found, none means two things. Method: the kernel's numbers.
#include "base/npu_generation.h"

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

TEST_CASE("every NPU is found by its PCI device and by each of its processors, and by no other") {
  for (const NpuGeneration& generation : kNpuGenerations) {
    CHECK(npu_of_device(generation.pci_device) == &generation);
    for (const ProcessorNumber& number : generation.numbers) {
      if (number.family >= 0) CHECK(npu_of_processor(number.family, number.model) == &generation);
    }
  }
  CHECK(npu_of_device(0x643e)->processors == "Lunar Lake");
  CHECK(npu_of_processor(6, 0xc6)->processors == "Arrow Lake");
  CHECK(npu_of_device(-1) == nullptr);
  CHECK(npu_of_device(0) == nullptr);
  CHECK(npu_of_processor(-1, -1) == nullptr);
  CHECK(npu_of_processor(6, 142) == nullptr);
}

TEST_CASE("a platform names all its processors") {
  CHECK(processors_of_platform("3720") == "Meteor Lake and Arrow Lake");
  CHECK(processors_of_platform("5020") == "Wildcat Lake");
  CHECK(processors_of_platform("") == "");
  CHECK(processors_of_platform("9999") == "");
}

}  // namespace
}  // namespace ovenbird
