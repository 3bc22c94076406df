// Blobs: a graph comes back from what it gave, and from nothing else: no other driver version, no
// other platform, nothing cut off and nothing changed.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "driver.h"
#include "own_process.h"
#include "small_ir.h"

namespace npu_emulator {
namespace {

constexpr size_t kHeaderBytes = 32;

std::vector<uint8_t> small_blob() {
  const Compiled made = compile(serialized(SmallIr{}));
  REQUIRE(made.result == ZeResult::kSuccess);
  return blob_of(made.graph.get());
}

std::string why_refused(const std::vector<uint8_t>& blob) {
  const Compiled made = import_blob(blob);
  CHECK(made.result == ZeResult::kInvalidNativeBinary);
  CHECK_FALSE(made.graph);
  return made.log;
}

TEST_CASE("a blob becomes the same graph again") {
  if (!in_own_process({})) return;
  const std::vector<uint8_t> blob = small_blob();
  const Compiled made = import_blob(blob);
  REQUIRE(made.result == ZeResult::kSuccess);
  GraphProperties3 properties{};
  REQUIRE(driver().graph.properties3(made.graph.get(), &properties) == ZeResult::kSuccess);
  CHECK(properties.arguments == 3);
  CHECK(properties.flags == (kGraphPreCompiled | kGraphOwnsMemory));
  CHECK(blob_of(made.graph.get()) == blob);
  size_t bytes = 0;
  const uint8_t* in_place = nullptr;
  REQUIRE(driver().graph.blob2(made.graph.get(), &bytes, &in_place) == ZeResult::kSuccess);
  CHECK(std::vector<uint8_t>(in_place, in_place + bytes) == blob);
  CHECK(traced("blob_import").size() == 1);
  CHECK(traced("blob_import")[0]["bytes"] == blob.size());
  CHECK(traced("blob_export").size() == 3);
  CHECK(traced("compile").size() == 1);
}

TEST_CASE("a blob may have more behind it since the plugin rounds up to pages") {
  std::vector<uint8_t> blob = small_blob();
  blob.resize(blob.size() + 4096);
  CHECK(import_blob(blob).result == ZeResult::kSuccess);
}

TEST_CASE("a blob cut at any byte is refused") {
  const std::vector<uint8_t> blob = small_blob();
  for (size_t bytes = 1; bytes < blob.size(); ++bytes) {
    CAPTURE(bytes);
    const std::vector<uint8_t> cut(blob.begin(), blob.begin() + static_cast<long>(bytes));
    CHECK(why_refused(cut) == "the blob is cut off");
  }
}

TEST_CASE("a blob with any bit of any byte changed is refused") {
  std::vector<uint8_t> blob = small_blob();
  for (size_t at = 0; at < blob.size(); ++at) {
    const auto bit = static_cast<uint8_t>(1 << at % 8);
    blob[at] ^= bit;
    CAPTURE(at);
    CHECK(why_refused(blob) != "");
    blob[at] ^= bit;
  }
  CHECK(import_blob(blob).result == ZeResult::kSuccess);
}

TEST_CASE("each field of the header has its own refusal") {
  struct Row {
    size_t at;
    const char* why;
  };
  for (const Row& row : {Row{0, "not one of this driver's"},
                         {8, "driver version"},
                         {12, "another platform"},
                         {23, "cut off"},
                         {24, "damaged"},
                         {kHeaderBytes, "damaged"}}) {
    std::vector<uint8_t> blob = small_blob();
    blob[row.at] ^= 0x40;
    CAPTURE(row.at);
    CHECK(why_refused(blob).find(row.why) != std::string::npos);
  }
}

TEST_CASE("an IR is no blob and a blob is no IR") {
  CHECK(why_refused(serialized(SmallIr{})).find("not one") != std::string::npos);
  CHECK(compile(small_blob()).result == ZeResult::kInvalidArgument);
}

TEST_CASE("a blob is for one driver version and one platform") {
  // The header as this version of the driver writes it for version 1760000000 and platform 4000.
  for (const Environment& settings :
       {Environment{{"DRIVER_VERSION", "1770000000"}}, {{"PLATFORM", "5010"}}}) {
    if (!in_own_process(settings)) continue;
    std::vector<uint8_t> blob = small_blob();
    const uint32_t version = 1760000000, platform = 1;
    if (settings.contains("PLATFORM")) {
      std::memcpy(blob.data() + 12, &platform, sizeof platform);
      CHECK(why_refused(blob).find("another platform") != std::string::npos);
    } else {
      std::memcpy(blob.data() + 8, &version, sizeof version);
      CHECK(why_refused(blob) == "the blob is of driver version 1760000000, this is 1770000000");
    }
    CHECK(traced("blob_refused").size() == 1);
  }
}

TEST_CASE("a blob that stays the caller's is whole pages") {
  std::vector<uint8_t> blob = small_blob();
  const size_t pages = (blob.size() + 4095) / 4096 * 4096;
  const Handle memory = make_memory(pages + 4096);
  auto* start = static_cast<uint8_t*>(memory.get());
  std::memcpy(start, blob.data(), blob.size());
  GraphDesc2 desc{};
  desc.first.format = kGraphFormatBlob;
  desc.flags = kGraphFlagPersistentInput;
  ZeHandle graph = nullptr;
  const auto create = [&](const uint8_t* input, size_t bytes) {
    desc.first.input = input;
    desc.first.bytes = bytes;
    return driver().graph.create2(nullptr, nullptr, &desc, &graph);
  };
  CHECK(create(start, blob.size()) == ZeResult::kUnsupportedAlignment);
  CHECK(create(start + 64, pages) == ZeResult::kUnsupportedAlignment);
  REQUIRE(create(start, pages) == ZeResult::kSuccess);
  driver().graph.destroy(graph);
}

}  // namespace
}  // namespace npu_emulator
