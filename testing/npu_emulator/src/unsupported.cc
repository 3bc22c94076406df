// Functions that the plugin looks up and never calls: images, kernels, modules, and what else a GPU
// has. All of them must be there, or the plugin finds no device at all.
#include "src/export.h"
#include "src/trace.h"

namespace npu_emulator {
namespace {

ZeResult refuse(const char* function) {
  trace("unsupported", {{"function", function}});
  return ZeResult::kUnsupportedFeature;
}

}  // namespace

// The arguments do not matter: on x86-64 the caller removes them.
#define NPU_EMULATOR_UNSUPPORTED(name) \
  NPU_EMULATOR_EXPORT ZeResult name() { return refuse(#name); }

NPU_EMULATOR_UNSUPPORTED(zeCommandListAppendImageCopy)
NPU_EMULATOR_UNSUPPORTED(zeCommandListAppendImageCopyFromMemory)
NPU_EMULATOR_UNSUPPORTED(zeCommandListAppendImageCopyToMemory)
NPU_EMULATOR_UNSUPPORTED(zeCommandListAppendLaunchKernel)
NPU_EMULATOR_UNSUPPORTED(zeCommandListAppendMemoryFill)
NPU_EMULATOR_UNSUPPORTED(zeCommandListCreateImmediate)
NPU_EMULATOR_UNSUPPORTED(zeCommandListHostSynchronize)
NPU_EMULATOR_UNSUPPORTED(zeDeviceGetCacheProperties)
NPU_EMULATOR_UNSUPPORTED(zeDeviceGetComputeProperties)
NPU_EMULATOR_UNSUPPORTED(zeDeviceGetImageProperties)
NPU_EMULATOR_UNSUPPORTED(zeDeviceGetMemoryAccessProperties)
NPU_EMULATOR_UNSUPPORTED(zeDeviceGetMemoryProperties)
NPU_EMULATOR_UNSUPPORTED(zeDeviceGetModuleProperties)
NPU_EMULATOR_UNSUPPORTED(zeDeviceGetSubDevices)
NPU_EMULATOR_UNSUPPORTED(zeEventQueryKernelTimestamp)
NPU_EMULATOR_UNSUPPORTED(zeImageCreate)
NPU_EMULATOR_UNSUPPORTED(zeImageDestroy)
NPU_EMULATOR_UNSUPPORTED(zeKernelCreate)
NPU_EMULATOR_UNSUPPORTED(zeKernelDestroy)
NPU_EMULATOR_UNSUPPORTED(zeKernelSetArgumentValue)
NPU_EMULATOR_UNSUPPORTED(zeKernelSetGroupSize)
NPU_EMULATOR_UNSUPPORTED(zeModuleBuildLogDestroy)
NPU_EMULATOR_UNSUPPORTED(zeModuleBuildLogGetString)
NPU_EMULATOR_UNSUPPORTED(zeModuleCreate)
NPU_EMULATOR_UNSUPPORTED(zeModuleDestroy)
NPU_EMULATOR_UNSUPPORTED(zeModuleGetKernelNames)
NPU_EMULATOR_UNSUPPORTED(zeModuleGetNativeBinary)

}  // namespace npu_emulator
