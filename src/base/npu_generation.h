// The one table of NPUs: what each is called, what it is inside of, and by which numbers a machine
// shows it. Device numbers and firmware names are those of the Linux kernel's intel_vpu driver,
// processor numbers those of its intel-family.h, platforms OpenVINO's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ovenbird {

/// A processor's number, as /proc/cpuinfo gives it.
struct ProcessorNumber {
  int64_t family = -1;
  int64_t model = -1;
};

/// One kind of NPU.
struct NpuGeneration {
  std::string_view processors;  // "Lunar Lake"
  std::string_view platform;    // OpenVINO's number: "4000"; empty: this OpenVINO has none for it
  std::string_view firmware;    // the part of a firmware file's name that says which: "40xx"
  uint16_t pci_device = 0;      // of the vendor 8086
  std::array<ProcessorNumber, 3> numbers = {};  // those left over are negative
};

inline constexpr NpuGeneration kMeteorLake{
    "Meteor Lake", "3720", "37xx", 0x7d1d, {{{6, 0xaa}, {6, 0xac}}}};
inline constexpr NpuGeneration kArrowLake{
    "Arrow Lake", "3720", "37xx", 0xad1d, {{{6, 0xb5}, {6, 0xc5}, {6, 0xc6}}}};
inline constexpr NpuGeneration kLunarLake{"Lunar Lake", "4000", "40xx", 0x643e, {{{6, 0xbd}}}};
inline constexpr NpuGeneration kPantherLake{"Panther Lake", "5010", "50xx", 0xb03e, {{{6, 0xcc}}}};
inline constexpr NpuGeneration kWildcatLake{"Wildcat Lake", "5020", "50xx", 0xfd3e, {{{6, 0xd5}}}};
inline constexpr NpuGeneration kNovaLake{
    "Nova Lake", "", "60xx", 0xd71d, {{{18, 0x01}, {18, 0x03}}}};

inline constexpr std::array kNpuGenerations = {kMeteorLake,  kArrowLake,   kLunarLake,
                                               kPantherLake, kWildcatLake, kNovaLake};

/// None: a device that is no NPU we know.
const NpuGeneration* npu_of_device(int64_t pci_device);

/// The NPU inside Intel's processor of that family and model. None: an older processor, or one that
/// we do not know.
const NpuGeneration* npu_of_processor(int64_t family, int64_t model);

/// The processors whose NPU OpenVINO calls so: "Meteor Lake and Arrow Lake"; empty: none.
std::string processors_of_platform(std::string_view platform);

}  // namespace ovenbird
