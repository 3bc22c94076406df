// Wrapping memory, and importing it.
//
// A plain tensor would work on an NPU too, but the plugin imports it before and frees it after
// every single step if it is whole pages, and else copies it. A remote tensor over CPU_VA is
// imported once. Import wants whole pages, a tensor has any size: so pages are imported as a flat
// tensor, which then gets the shape that is really wanted.
#include "engine/device_tensors.h"

#include <openvino/runtime/intel_npu/level_zero/level_zero.hpp>

#include "base/check.h"
#include "base/page_memory.h"
#include "engine/openvino_core.h"

namespace ovenbird {
namespace {

class HostTensors : public DeviceTensors {
 public:
  DeviceTensor at(void* start, ov::element::Type type, const ov::Shape& shape) override {
    return {ov::Tensor(type, shape, start), nullptr};
  }
  DeviceTensor in(const TensorStack& stack, size_t index, ov::element::Type type,
                  const ov::Shape& shape) override {
    return at(stack.tensors[index], type, shape);
  }
  DeviceTensor front_of(std::span<std::byte> pages, ov::element::Type type,
                        const ov::Shape& shape) override {
    return at(pages.data(), type, shape);
  }
};

class ImportedTensors : public DeviceTensors {
 public:
  ImportedTensors()
      : context_(openvino_core()
                     .get_default_context("NPU")
                     .as<ov::intel_npu::level_zero::ZeroContext>()) {}

  DeviceTensor at(void* start, ov::element::Type type, const ov::Shape& shape) override {
    return shaped(import(start, ov::shape_size(shape) * type.size(), type), shape);
  }

  /// A region of the whole stack, not a tensor at the address inside it: with OpenVINO 2026.4 that
  /// one would silently be the first of the stack, whatever its index.
  DeviceTensor in(const TensorStack& stack, size_t index, ov::element::Type type,
                  const ov::Shape& shape) override {
    const size_t tensor_bytes = ov::shape_size(shape) * type.size();
    OVENBIRD_CHECK(shape[0] == 1 && stack.tensors.front() == stack.pages.data());
    OVENBIRD_CHECK(stack.tensors[index] == stack.pages.data() + index * tensor_bytes);
    ov::Shape whole = shape;
    whole[0] = stack.tensors.size();
    const DeviceTensor block = shaped(import(stack.pages.data(), stack.pages.size(), type), whole);
    ov::Coordinate begin(shape.size(), 0);
    ov::Coordinate end(shape);
    begin[0] = index;
    end[0] = index + 1;
    return {ov::RemoteTensor(block.tensor.as<ov::RemoteTensor>(), begin, end), block.import};
  }

  /// A region too: a driver imports no page twice, and the block's own shape is its sharers'.
  DeviceTensor front_of(std::span<std::byte> pages, ov::element::Type type,
                        const ov::Shape& shape) override {
    ov::Shape whole = shape;
    whole[1] = pages.size() / (shape[2] * type.size());
    OVENBIRD_CHECK(shape.size() == 3 && shape[0] == 1 && shape[1] <= whole[1]);
    const DeviceTensor block = shaped(import(pages.data(), pages.size(), type), whole);
    return {ov::RemoteTensor(block.tensor.as<ov::RemoteTensor>(), ov::Coordinate(shape.size(), 0),
                             ov::Coordinate(shape)),
            block.import};
  }

 private:
  using Import = std::shared_ptr<ov::RemoteTensor>;

  /// The pages from `start` on, imported now or before; forgotten with the last tensor over them.
  Import import(void* start, size_t bytes, ov::element::Type type) {
    std::erase_if(imports_, [](const auto& entry) { return entry.second.expired(); });
    if (const auto known = imports_.find(start); known != imports_.end()) {
      return known->second.lock();
    }
    const ov::Shape flat{round_up_to_page(bytes) / type.size()};
    auto made = std::make_shared<ov::RemoteTensor>(
        context_.create_tensor(type, flat, start, ov::intel_npu::MemType::CPU_VA));
    imports_[start] = made;
    return made;
  }

  static DeviceTensor shaped(const Import& import, const ov::Shape& shape) {
    if (import->get_shape() != shape) import->set_shape(shape);
    return {*import, import};
  }

  ov::intel_npu::level_zero::ZeroContext context_;
  std::map<void*, std::weak_ptr<ov::RemoteTensor>> imports_;
};

}  // namespace

std::unique_ptr<DeviceTensors> host_tensors() { return std::make_unique<HostTensors>(); }

std::unique_ptr<DeviceTensors> imported_tensors() {
  auto tensors = std::make_unique<ImportedTensors>();
  Result<PageMemory> page = PageMemory::allocate(1, Pages::kShared);
  if (!page) throw std::bad_alloc();
  tensors->at(page->bytes().data(), ov::element::u8, {page->bytes().size()});
  return tensors;
}

}  // namespace ovenbird
