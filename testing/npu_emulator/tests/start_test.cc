// The start: what loader, driver and device say about themselves, in the order in which OpenVINO's
// NPU plugin asks, for every platform.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <string>

#include "driver.h"
#include "own_process.h"

namespace npu_emulator {
namespace {

ZeHandle the_driver() {
  uint32_t count = 1;
  ZeHandle handle = nullptr;
  REQUIRE(driver().get_driver(&count, &handle) == ZeResult::kSuccess);
  REQUIRE(count == 1);
  return handle;
}

ZeHandle the_device() {
  uint32_t count = 0;
  REQUIRE(driver().get_device(the_driver(), &count, nullptr) == ZeResult::kSuccess);
  REQUIRE(count == 1);
  ZeHandle device = nullptr;
  REQUIRE(driver().get_device(the_driver(), &count, &device) == ZeResult::kSuccess);
  REQUIRE(device);
  return device;
}

std::set<std::string> extension_names() {
  uint32_t count = 0;
  REQUIRE(driver().get_extensions(the_driver(), &count, nullptr) == ZeResult::kSuccess);
  std::vector<ZeExtensionProperties> extensions(count);
  REQUIRE(driver().get_extensions(the_driver(), &count, extensions.data()) == ZeResult::kSuccess);
  std::set<std::string> names;
  for (const ZeExtensionProperties& extension : extensions) names.insert(extension.name);
  CHECK(names.size() == count);
  return names;
}

ZeDeviceProperties device_properties() {
  ZeDeviceProperties properties{};
  REQUIRE(driver().get_device_properties(the_device(), &properties) == ZeResult::kSuccess);
  return properties;
}

TEST_CASE("the loader is of a version for which the plugin uses zeInitDrivers") {
  ZeComponentVersion loader{};
  REQUIRE(driver().get_loader_version(&loader) == ZeResult::kSuccess);
  CHECK(std::string(loader.name) == "loader");
  CHECK(loader.major == 1);
  CHECK(loader.minor >= 19);
  size_t count = 0;
  REQUIRE(driver().get_loader_versions(&count, nullptr) == ZeResult::kSuccess);
  REQUIRE(count == 1);
  ZeComponentVersion again{};
  REQUIRE(driver().get_loader_versions(&count, &again) == ZeResult::kSuccess);
  CHECK(std::memcmp(&loader, &again, sizeof loader) == 0);
}

TEST_CASE("there is one driver for NPUs and none for anything else") {
  const ZeInitDriverType gpu{.header = {}, .flags = 1}, any{.header = {}, .flags = 0xffffffff};
  uint32_t count = 7;
  CHECK(driver().init_drivers(&count, nullptr, &gpu) == ZeResult::kSuccess);
  CHECK(count == 0);
  CHECK(driver().init_drivers(&count, nullptr, &any) == ZeResult::kSuccess);
  CHECK(count == 1);
  CHECK(driver().init_drivers(nullptr, nullptr, &any) == ZeResult::kInvalidNullPointer);
  CHECK(driver().init_drivers(&count, nullptr, nullptr) == ZeResult::kInvalidNullPointer);
  ZeHandle untouched = nullptr;
  count = 0;  // asks for none
  CHECK(driver().init_drivers(&count, &untouched, &any) == ZeResult::kSuccess);
  CHECK(untouched == nullptr);
}

TEST_CASE("the driver has the UUID of Intel's and the version of the settings") {
  for (const auto& [setting, version] : {std::pair{"", 1760000000u}, {"17", 17u}}) {
    if (!in_own_process({{"DRIVER_VERSION", setting}})) continue;
    ZeDriverProperties properties{};
    REQUIRE(driver().get_driver_properties(the_driver(), &properties) == ZeResult::kSuccess);
    constexpr ZeUuid kIntel = {0x01, 0x7d, 0xe9, 0x31, 0x6b, 0x4d, 0x4f, 0xd4,
                               0xaa, 0x9b, 0x5b, 0xed, 0x77, 0xfc, 0x8e, 0x89};
    CHECK(std::memcmp(&properties.uuid, &kIntel, sizeof kIntel) == 0);
    CHECK(properties.driver_version == version);
    uint32_t api = 0;
    REQUIRE(driver().get_api_version(the_driver(), &api) == ZeResult::kSuccess);
    CHECK((api >> 16) == 1);
  }
}

TEST_CASE("every extension that is listed has a table, but for those without functions") {
  for (const std::string& name : extension_names()) {
    void* table = nullptr;
    const ZeResult result = driver().get_extension_table(the_driver(), name.c_str(), &table);
    const bool has_functions = name != "ZE_experimental_mutable_command_list" &&
                               name != "ZE_extension_external_memmap_sysmem";
    CAPTURE(name);
    CHECK(result == (has_functions ? ZeResult::kSuccess : ZeResult::kUnsupportedFeature));
    CHECK((table != nullptr) == has_functions);
  }
  void* table = nullptr;
  CHECK(driver().get_extension_table(the_driver(), "ZE_extension_moon", &table) ==
        ZeResult::kUnsupportedFeature);
}

TEST_CASE("the driver extension finds the other tables by name and version") {
  void* table = nullptr;
  REQUIRE(driver().get_extension_table(the_driver(), "ZE_extension_driver_npu", &table) ==
          ZeResult::kSuccess);
  for (const char* name : {"ZE_extension_graph", "ZE_extension_command_queue_npu",
                           "ZE_extension_profiling_data", "ZE_extension_context_npu"}) {
    void *by_address = nullptr, *by_table = nullptr;
    DriverExtension wanted{.header = {}, .name = name, .version = 1, .table = &by_table};
    CHECK(static_cast<DriverTable*>(table)->get_extension(the_driver(), &wanted) ==
          ZeResult::kSuccess);
    driver().get_extension_table(the_driver(), name, &by_address);
    CHECK(by_table == by_address);
  }
}

TEST_CASE("a list that is shorter than what there is gets its beginning") {
  std::vector<ZeExtensionProperties> extensions(3);
  std::strcpy(extensions[2].name, "untouched");
  uint32_t count = 2;
  REQUIRE(driver().get_extensions(the_driver(), &count, extensions.data()) == ZeResult::kSuccess);
  CHECK(count == extension_names().size());
  CHECK(std::string(extensions[0].name) == "ZE_extension_graph");
  CHECK(std::string(extensions[2].name) == "untouched");
}

TEST_CASE("the device is that of its platform") {
  struct Row {
    const char* platform;
    uint32_t device_id;
    uint32_t tiles;
  };
  for (const Row& row : {Row{"3720", 0x7d1d, 2}, {"4000", 0x643e, 6}, {"5010", 0xb03e, 3}}) {
    if (!in_own_process({{"PLATFORM", row.platform}})) continue;
    const ZeDeviceProperties properties = device_properties();
    CHECK(properties.type == kZeDeviceTypeNpu);
    CHECK(properties.vendor_id == 0x8086);
    CHECK(properties.device_id == row.device_id);
    CHECK(properties.slices == row.tiles);
    CHECK(std::string(properties.name).find("emulated") != std::string::npos);
    CHECK(driver().get_device_status(the_device()) == ZeResult::kSuccess);
    const auto started = traced("start");
    REQUIRE(started.size() == 1);
    CHECK(started[0]["platform"] == row.platform);
    CHECK(started[0]["pid"] == ::getpid());
  }
}

TEST_CASE("the chain behind a structure is left alone") {
  ZeHeader next{.type = 77, .next = nullptr};
  ZeDeviceProperties properties{};
  properties.header = {.type = 3, .next = &next};
  REQUIRE(driver().get_device_properties(the_device(), &properties) == ZeResult::kSuccess);
  CHECK(properties.header.type == 3);
  CHECK(properties.header.next == &next);
  CHECK(next.type == 77);
}

TEST_CASE("a driver that imports no memory says so in both places where the plugin looks") {
  for (const char* imports : {"yes", "no"}) {
    if (!in_own_process({{"IMPORT", imports}})) continue;
    const bool yes = imports == std::string("yes");
    ZeExternalMemoryProperties memory{};
    REQUIRE(driver().get_external_memory(the_device(), &memory) == ZeResult::kSuccess);
    CHECK(((memory.memory_import_types & kZeExternalUserMemory) != 0) == yes);
    CHECK(extension_names().contains("ZE_extension_external_memmap_sysmem") == yes);
  }
}

TEST_CASE("one queue group computes and copies") {
  uint32_t count = 0;
  REQUIRE(driver().get_queue_groups(the_device(), &count, nullptr) == ZeResult::kSuccess);
  REQUIRE(count == 1);
  ZeQueueGroupProperties group{};
  REQUIRE(driver().get_queue_groups(the_device(), &count, &group) == ZeResult::kSuccess);
  CHECK(group.flags == (kZeQueueGroupCompute | kZeQueueGroupCopy));
  CHECK(group.queues == 1);
}

TEST_CASE("what the plugin looks up and never calls is there and refuses") {
  if (!in_own_process({})) return;
  for (const char* name :
       {"zeImageCreate", "zeKernelCreate", "zeModuleCreate", "zeDeviceGetSubDevices",
        "zeCommandListAppendMemoryFill", "zeEventQueryKernelTimestamp"}) {
    const auto function = reinterpret_cast<ZeResult (*)()>(symbol(name));
    const bool is_there = function != nullptr;
    REQUIRE(is_there);
    CHECK(function() == ZeResult::kUnsupportedFeature);
    CHECK(traced("unsupported").back()["function"] == name);
  }
  CHECK(symbol("zeMoonCreate") == nullptr);
}

TEST_CASE("nothing but the interface is visible of the library") {
  CHECK(symbol("_ZN12npu_emulator8settingsEv") == nullptr);
  CHECK(symbol("zeInit") != nullptr);
}

}  // namespace
}  // namespace npu_emulator
