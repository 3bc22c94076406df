// Safetensors files and indexes with one thing wrong: each is refused with one line, and never read
// beyond its end (the sanitizers watch).
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "checkpoint/refusal.h"
#include "checkpoint/safetensors_file.h"
#include "checkpoint/tiny_hugging_face.h"

namespace ovenbird {
namespace {

constexpr char kQuery[] = "model.layers.0.self_attn.q_proj.weight";
constexpr char kDown[] = "model.layers.0.mlp.down_proj.weight";
constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";

struct Fault {
  const char* name;
  Code code;
  const char* words;  // in the message
  std::function<void(TinySafetensors&)> spoil;
};

void check_faults(const std::vector<Fault>& faults) {
  for (const Fault& fault : faults) {
    CAPTURE(fault.name);
    const TemporaryDirectory directory;
    TinyHuggingFace model = good_hugging_face();
    fault.spoil(model.weights);
    model.write(directory);
    check_refused(directory.path(), fault.code, fault.words);
  }
}

TEST_CASE("a safetensors file with a wrong type or shape is refused") {
  check_faults({
      {"dtype unknown", Code::kUnsupported, "\"F13\"; supported are F32, F16 and BF16",
       [](auto& f) { f.header[kQuery]["dtype"] = "F13"; }},
      {"dtype an integer's", Code::kUnsupported, "\"I32\"",
       [](auto& f) { f.header[kQuery]["dtype"] = "I32"; }},
      {"dtype a number", Code::kCorrupt, "dtype", [](auto& f) { f.header[kQuery]["dtype"] = 7; }},
      {"no dtype", Code::kCorrupt, "dtype", [](auto& f) { f.header[kQuery].erase("dtype"); }},
      {"entry a list", Code::kCorrupt, "no object",
       [](auto& f) {
         f.header[kQuery] = {1, 2};
       }},
      {"shape a string", Code::kCorrupt, "shape", [](auto& f) { f.header[kQuery]["shape"] = "8"; }},
      {"shape negative", Code::kCorrupt, "shape",
       [](auto& f) {
         f.header[kQuery]["shape"] = {-8, -8};
       }},
      {"shape a fraction", Code::kCorrupt, "shape",
       [](auto& f) {
         f.header[kQuery]["shape"] = {8.0, 8.0};
       }},
      {"shape of five dimensions", Code::kCorrupt, "at most 4",
       [](auto& f) {
         f.header[kQuery]["shape"] = {1, 1, 1, 8, 8};
       }},
      {"shape of no dimensions", Code::kCorrupt, "data_offsets",
       [](auto& f) { f.header["model.norm.weight"]["shape"] = nlohmann::json::array(); }},
      {"shape wraps", Code::kCorrupt, "data_offsets",
       [](auto& f) {
         f.header[kQuery]["shape"] = {uint64_t{1} << 32, uint64_t{1} << 32};
         f.header[kQuery]["data_offsets"] = {0, 0};
       }},
      {"shape of another size", Code::kCorrupt, "256 bytes",
       [](auto& f) {
         f.header[kQuery]["shape"] = {8, 9};
       }},
      {"shape of the same size", Code::kCorrupt, "[4, 16]",
       [](auto& f) {
         f.header[kQuery]["shape"] = {4, 16};
       }},
  });
}

TEST_CASE("a safetensors file whose tensors do not cover its data exactly is refused") {
  check_faults({
      {"one offset", Code::kCorrupt, "pair",
       [](auto& f) { f.header[kQuery]["data_offsets"] = {0}; }},
      {"offsets reversed", Code::kCorrupt, "pair",
       [](auto& f) {
         f.header[kQuery]["data_offsets"] = {512, 256};
       }},
      {"offsets that wrap", Code::kCorrupt, "pair",
       [](auto& f) {
         f.header[kQuery]["data_offsets"] = {std::numeric_limits<uint64_t>::max() - 127, 128};
       }},
      {"offset negative", Code::kCorrupt, "pair",
       [](auto& f) {
         f.header[kQuery]["data_offsets"] = {-1, 255};
       }},
      {"overlap", Code::kCorrupt, "the one before ends",
       [](auto& f) {
         f.header[kQuery]["data_offsets"] =
             f.header["model.layers.0.self_attn.o_proj.weight"]["data_offsets"];
       }},
      {"bytes that belong to nothing", Code::kCorrupt, "the data has",
       [](auto& f) { f.data += "more"; }},
      {"bytes missing", Code::kCorrupt, "cut short", [](auto& f) { f.data.pop_back(); }},
  });
}

TEST_CASE("a safetensors file whose tensors are not the model's is refused") {
  check_faults({
      {"a tensor missing", Code::kCorrupt, "is missing",
       [](auto& f) {
         f.header["model.layers.0.mlp.other.weight"] = f.header[kDown];
         f.header.erase(kDown);
       }},
      {"a tensor of another layer", Code::kUnsupported, "no part",
       [](auto& f) {
         f.add("model.layers.1.mlp.up_proj.weight", {12, 8});
       }},
      {"a bias that the configuration denies", Code::kUnsupported, "no part",
       [](auto& f) { f.add("model.layers.0.self_attn.q_proj.bias", {8}); }},
      {"a long name", Code::kCorrupt, "too long",
       [](auto& f) { f.add(std::string(limits::kTensorNameBytesMax + 1, 'x'), {0}); }},
      {"a name with control characters", Code::kCorrupt, "\\x1b[2J",
       [](auto& f) { f.add("a\x1b[2J\n", {0}); }},
  });
}

TEST_CASE("a safetensors file with a wrong header is refused") {
  const TinySafetensors good = good_hugging_face().weights;
  const auto with_length = [&](uint64_t length) {
    std::string bytes = good.bytes();
    std::memcpy(bytes.data(), &length, sizeof(length));
    return bytes;
  };
  const std::string deep(40'000, '[');
  const std::string entry = R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})";
  const struct {
    const char* name;
    std::string bytes;
    const char* words;
  } faults[] = {
      {"empty", "", "ends inside"},
      {"seven bytes", "1234567", "ends inside"},
      {"length 0", with_length(0), "header"},
      {"length 2^63", with_length(uint64_t{1} << 63), "at most"},
      {"length 2^64-8", with_length(std::numeric_limits<uint64_t>::max() - 7), "at most"},
      {"length one too long", with_length(good.header.dump().size() + 1), "header"},
      {"length over the limit", with_length(limits::kSafetensorsHeaderBytesMax + 1), "at most"},
      {"length at the limit", with_length(limits::kSafetensorsHeaderBytesMax), "cut short"},
      {"a list", safetensors_of("[]", ""), "no JSON object"},
      {"a string", safetensors_of("\"x\"", ""), "no JSON object"},
      {"deep", safetensors_of(deep, ""), "inside one another"},
      {"a key twice", safetensors_of("{\"a\":" + entry + ",\"a\":" + entry + "}", "1234"), "twice"},
      {"an HTML page", "<!DOCTYPE html><html>not found</html>", "is it a safetensors file?"},
  };
  for (const auto& fault : faults) {
    CAPTURE(fault.name);
    const TemporaryDirectory directory;
    good_hugging_face().write(directory);
    directory.write(kSingle, fault.bytes);
    check_refused(directory.path(), Code::kCorrupt, fault.words);
  }
}

/// A directory with an index instead of the single file; `map` is the index's weight_map.
void write_index(const TemporaryDirectory& directory, const nlohmann::json& map) {
  directory.write("config.json", good_hugging_face().config.dump());
  directory.write(kIndex, nlohmann::json{{"weight_map", map}}.dump());
}

TEST_CASE("an index can name only safetensors files beside itself") {
  const TemporaryDirectory directory;
  for (const char* shard : {"/dev/zero", "../a.safetensors", "a/b.safetensors", kIndex, "",
                            "model.bin", "a\n.safetensors"}) {
    write_index(directory, {{kQuery, shard}});
    check_refused(directory.path(), Code::kCorrupt, "no name of a safetensors file");
  }
  write_index(directory, {{kQuery, 7}});
  check_refused(directory.path(), Code::kCorrupt, "no name of a safetensors file");
}

TEST_CASE("a wrong index is refused") {
  const TemporaryDirectory directory;
  write_index(directory, {{kQuery, "none.safetensors"}});
  check_refused(directory.path(), Code::kNotFound, "none.safetensors");
  write_index(directory, nlohmann::json::array({"a.safetensors"}));
  check_refused(directory.path(), Code::kCorrupt, "weight_map");
  write_index(directory, nlohmann::json::object());
  check_refused(directory.path(), Code::kCorrupt, "names 0 files");
  directory.write(kIndex, "{}");
  check_refused(directory.path(), Code::kCorrupt, "no weight_map");
  directory.write(kIndex, "{");
  check_refused(directory.path(), Code::kCorrupt, "index.json: parse JSON");
  nlohmann::json many;
  for (size_t shard = 0; shard <= limits::kShardsMax; ++shard) {
    many["t" + std::to_string(shard)] = std::to_string(shard) + ".safetensors";
  }
  write_index(directory, many);
  check_refused(directory.path(), Code::kCorrupt, "1025 files");
}

TEST_CASE("index and shards must agree, and no tensor lies in two") {
  const TemporaryDirectory directory;
  const TinySafetensors weights = good_hugging_face().weights;
  directory.write("a.safetensors", weights.bytes());
  write_index(directory, {{kQuery, "a.safetensors"}, {"other", "a.safetensors"}});
  check_refused(directory.path(), Code::kCorrupt, "does not hold");

  directory.write("b.safetensors", weights.bytes());
  write_index(directory, {{kQuery, "a.safetensors"}, {kDown, "b.safetensors"}});
  check_refused(directory.path(), Code::kCorrupt, "two shards");
}

/// A copy whose end is the end of its memory, so that the sanitizers see any step beyond.
Result<std::vector<StoredTensor>> read_exactly(std::string_view bytes) {
  const std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return read_safetensors({copy.get(), bytes.size()});
}

TEST_CASE("a safetensors file cut short anywhere is refused") {
  const std::string whole = good_hugging_face().weights.bytes();
  REQUIRE(read_exactly(whole).has_value());
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto tensors = read_exactly(std::string_view(whole).substr(0, size));
    REQUIRE(!tensors.has_value());
    CHECK(tensors.error().code == Code::kCorrupt);
  }
}

TEST_CASE("a safetensors file with any byte of its header changed is read or refused") {
  const TinySafetensors good = good_hugging_face().weights;
  const std::string whole = good.bytes();
  for (size_t at = 0; at < whole.size() - good.data.size(); ++at) {
    for (const int flip : {0x01, 0x08, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto tensors = read_exactly(changed);
      if (!tensors) CHECK(!tensors.error().message.empty());
    }
  }
}

}  // namespace
}  // namespace ovenbird
