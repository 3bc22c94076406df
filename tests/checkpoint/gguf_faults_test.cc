// GGUF files with one thing wrong: each is refused with one line that says what, and never read
// beyond its end (the sanitizers watch).
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "checkpoint/gguf_faults.h"
#include "checkpoint/gguf_model.h"

namespace ovenbird {
namespace {

void check_faults(const std::vector<Fault>& faults) { check_faults(good_gguf(), faults); }

constexpr uint64_t kHuge = uint64_t{1} << 63;

TEST_CASE("the intact file opens, so that a refusal proves something") {
  const TemporaryDirectory directory;

  CHECK(open_checkpoint(directory.write("m.gguf", good_gguf().bytes())).has_value());
}

TEST_CASE("a GGUF with a wrong header is refused") {
  check_faults({
      {"magic", Code::kCorrupt, "no GGUF", [](auto& f) { f.magic = 0x58554747; }},
      {"old magic", Code::kCorrupt, "no GGUF", [](auto& f) { f.magic = 0x67676d6c; }},
      {"version 0", Code::kUnsupported, "version 0", [](auto& f) { f.version = 0; }},
      {"version 1", Code::kUnsupported, "version 1", [](auto& f) { f.version = 1; }},
      {"version 99", Code::kUnsupported, "version 99", [](auto& f) { f.version = 99; }},
      {"big-endian", Code::kUnsupported, "big-endian", [](auto& f) { f.version = 3U << 24; }},
      {"2^63 tensors", Code::kCorrupt, "tensors", [](auto& f) { f.tensor_count = kHuge; }},
      {"one more tensor", Code::kCorrupt, "tensor", [](auto& f) { f.tensor_count = 12; }},
      {"2^63 entries", Code::kCorrupt, "entries", [](auto& f) { f.entry_count = kHuge; }},
      {"too many entries", Code::kCorrupt, "entries",
       [](auto& f) {
         f.entry_count = limits::kMetadataEntriesMax + 1;
         f.data.resize(20 * limits::kMetadataEntriesMax);
       }},
      {"too many tensors", Code::kCorrupt, "tensors",
       [](auto& f) {
         f.tensor_count = limits::kTensorsMax + 1;
         f.data.resize(34 * limits::kTensorsMax);
       }},
  });
}

TEST_CASE("a GGUF with wrong metadata is refused") {
  check_faults({
      {"empty key", Code::kCorrupt, "0 bytes", [](auto& f) { f.entries[3].key = ""; }},
      {"long key", Code::kCorrupt, "65536 bytes",
       [](auto& f) { f.entries[3].key = std::string(65536, 'k'); }},
      {"a key twice", Code::kCorrupt, "appears twice",
       [](auto& f) { f.entries[3].key = f.entries[2].key; }},
      {"type 99", Code::kCorrupt, "type 99", [](auto& f) { f.entries[3].value.type = 99; }},
      {"truth value 2", Code::kCorrupt, "truth value",
       [](auto& f) {
         f.set("x", {7, std::string(1, '\2')});
       }},
      {"nested arrays", Code::kCorrupt, "array of arrays",
       [](auto& f) {
         f.set("x", {9, bytes_of<uint32_t>(9) + bytes_of<uint64_t>(1)});
       }},
      {"array of type 99", Code::kCorrupt, "unknown type 99",
       [](auto& f) {
         f.set("x", {9, bytes_of<uint32_t>(99) + bytes_of<uint64_t>(1)});
       }},
      {"array of 2^62", Code::kCorrupt, "entries",
       [](auto& f) {
         f.set("x", {9, bytes_of<uint32_t>(4) + bytes_of<uint64_t>(kHuge / 2)});
       }},
      {"array over the limit", Code::kCorrupt, "entries",
       [](auto& f) {
         const uint64_t count = limits::kMetadataArrayMax + 1;
         f.set("x", {9, bytes_of<uint32_t>(0) + bytes_of(count) + std::string(count, 'x')});
       }},
      {"string of 2^64-1", Code::kCorrupt, "ends inside",
       [](auto& f) {
         f.set("x", {8, bytes_of(std::numeric_limits<uint64_t>::max())});
       }},
      {"token of 2^40", Code::kCorrupt, "ends inside",
       [](auto& f) {
         f.set("x", {9, bytes_of<uint32_t>(8) + bytes_of<uint64_t>(1) + bytes_of(kHuge >> 23)});
       }},
      {"alignment 0", Code::kCorrupt, "alignment",
       [](auto& f) { f.set("general.alignment", gguf_u32(0)); }},
      {"alignment 24", Code::kCorrupt, "alignment",
       [](auto& f) { f.set("general.alignment", gguf_u32(24)); }},
      {"alignment 2^31", Code::kCorrupt, "alignment",
       [](auto& f) { f.set("general.alignment", gguf_u32(1U << 31)); }},
      {"alignment a string", Code::kCorrupt, "not an integer",
       [](auto& f) { f.set("general.alignment", gguf_text("32")); }},
      {"split", Code::kUnsupported, "parts",
       [](auto& f) {
         f.set("split.count", {2, bytes_of<uint16_t>(3)});
       }},
  });
}

GgufTensorInfo& query(TinyGguf& file) { return file.tensor("blk.0.attn_q.weight"); }

TEST_CASE("a GGUF whose tensors do not fit the format or the file is refused") {
  check_faults({
      {"type 4", Code::kUnsupported, "type 4", [](auto& f) { query(f).type = 4; }},
      {"type 2^32-1", Code::kUnsupported, "Q6_K", [](auto& f) { query(f).type = UINT32_MAX; }},
      {"a row of part of a block", Code::kCorrupt, "Q4_0", [](auto& f) { query(f).type = 2; }},
      {"no dimensions", Code::kCorrupt, "0 dimensions", [](auto& f) { query(f).dimensions = {}; }},
      {"five dimensions", Code::kCorrupt, "5 dimensions",
       [](auto& f) {
         query(f).dimensions = {8, 8, 1, 1, 1};
       }},
      {"three dimensions", Code::kCorrupt, "shape",
       [](auto& f) {
         query(f).dimensions = {8, 8, 1};
       }},
      {"a dimension of 0", Code::kCorrupt, "dimension of 0",
       [](auto& f) {
         query(f).dimensions = {8, 0};
       }},
      {"wrapping dimensions", Code::kCorrupt, "overflow",
       [](auto& f) {
         query(f).dimensions = {uint64_t{1} << 32, uint64_t{1} << 32};
       }},
      {"wrapping to the right size", Code::kCorrupt, "overflow",
       [](auto& f) {
         query(f).dimensions = {8, (uint64_t{1} << 61) + 8};
       }},
      {"swapped dimensions", Code::kCorrupt, "[12, 8]",
       [](auto& f) {
         f.tensor("blk.0.ffn_down.weight").dimensions = {8, 12};
       }},
      {"crooked offset", Code::kCorrupt, "multiple of 32", [](auto& f) { query(f).offset += 4; }},
      {"offset beyond the end", Code::kCorrupt, "needs 256 bytes",
       [](auto& f) { query(f).offset = 1U << 20; }},
      {"wrapping offset", Code::kCorrupt, "needs 256 bytes",
       [](auto& f) { query(f).offset = std::numeric_limits<uint64_t>::max() - 31; }},
      {"overlap", Code::kCorrupt, "share bytes",
       [](auto& f) { query(f).offset = f.tensor("blk.0.attn_output.weight").offset; }},
  });
}

TEST_CASE("a GGUF whose tensors are not the model's is refused") {
  check_faults({
      {"a name twice", Code::kCorrupt, "named",
       [](auto& f) { query(f).name = "blk.0.attn_output.weight"; }},
      {"no name", Code::kCorrupt, "name", [](auto& f) { query(f).name = ""; }},
      {"long name", Code::kCorrupt, "too long",
       [](auto& f) { query(f).name = std::string(limits::kTensorNameBytesMax + 1, 'x'); }},
      {"name with control characters", Code::kCorrupt, "\\x00\\x1b",
       [](auto& f) { query(f).name = std::string("q\0\x1b[2J", 6); }},
      {"missing", Code::kCorrupt, "\"blk.0.attn_q.weight\" is missing",
       [](auto& f) { query(f).name = "blk.1.attn_q.weight"; }},
      {"one too many", Code::kUnsupported, "no part",
       [](auto& f) {
         f.add_tensor("blk.0.ffn_gate_inp.weight", {8, 4});
       }},
      {"a bias in one layer only", Code::kCorrupt, "blk.1.attn_q.bias",
       [](auto& f) {
         for (const GgufTensorInfo& info : std::vector(f.tensors)) {
           if (!info.name.starts_with("blk.0.")) continue;
           f.add_tensor("blk.1." + info.name.substr(6), info.dimensions);
         }
         f.set("llama.block_count", gguf_u32(2));
         f.add_tensor("blk.0.attn_q.bias", {8});
       }},
  });
}

TEST_CASE("a GGUF of a model that is not built is refused by name") {
  check_faults({
      {"architecture", Code::kUnsupported, "\"gemma\"; supported are gemma2",
       [](auto& f) { f.set("general.architecture", gguf_text("gemma")); }},
      {"no architecture", Code::kCorrupt, "general.architecture",
       [](auto& f) { f.erase("general.architecture"); }},
      {"rope scaling", Code::kUnsupported, "\"dynamic\"; supported",
       [](auto& f) { f.set("llama.rope.scaling.type", gguf_text("dynamic")); }},
      {"two scalings", Code::kUnsupported, "at once",
       [](auto& f) {
         f.set("llama.rope.scaling.factor", gguf_f32(2));
         f.add_floats("rope_freqs.weight", {1, 8});
       }},
      {"sliding window", Code::kUnsupported, "sliding window of 16",
       [](auto& f) { f.set("llama.attention.sliding_window", gguf_u32(16)); }},
      {"soft cap", Code::kUnsupported, "softcapping",
       [](auto& f) { f.set("llama.final_logit_softcapping", gguf_f32(30)); }},
      {"not causal", Code::kUnsupported, "not causal",
       [](auto& f) { f.set("llama.attention.causal", gguf_bool(false)); }},
      {"part of a head rotated", Code::kUnsupported, "rotated",
       [](auto& f) { f.set("llama.rope.dimension_count", gguf_u32(2)); }},
      {"values of another size", Code::kUnsupported, "differ in size",
       [](auto& f) { f.set("llama.attention.value_length", gguf_u32(8)); }},
      {"layers that differ", Code::kUnsupported, "layers that differ",
       [](auto& f) { f.set("llama.attention.head_count_kv", gguf_i32s({1})); }},
      {"tokenizer", Code::kUnsupported, "\"t5\"; supported are gpt2 and llama",
       [](auto& f) { f.set("tokenizer.ggml.model", gguf_text("t5")); }},
  });
}

TEST_CASE("a GGUF whose counts make no model is refused") {
  check_faults({
      {"no layers", Code::kCorrupt, "block_count", [](auto& f) { f.erase("llama.block_count"); }},
      {"0 layers", Code::kCorrupt, "layers",
       [](auto& f) { f.set("llama.block_count", gguf_u32(0)); }},
      {"too many layers", Code::kCorrupt, "accepted: 1 to 1024",
       [](auto& f) { f.set("llama.block_count", gguf_u32(limits::kLayersMax + 1)); }},
      {"layers a string", Code::kCorrupt, "not an integer",
       [](auto& f) { f.set("llama.block_count", gguf_text("1")); }},
      {"layers negative", Code::kCorrupt, "-1",
       [](auto& f) {
         f.set("llama.block_count", {5, bytes_of<int32_t>(-1)});
       }},
      {"layers 2^63", Code::kCorrupt, "9223372036854775808",
       [](auto& f) {
         f.set("llama.block_count", {10, bytes_of(kHuge)});
       }},
      {"context too long", Code::kCorrupt, "context",
       [](auto& f) { f.set("llama.context_length", gguf_u32(UINT32_MAX)); }},
      {"0 heads", Code::kCorrupt, "heads",
       [](auto& f) { f.set("llama.attention.head_count", gguf_u32(0)); }},
      {"3 heads for 8", Code::kCorrupt, "divide",
       [](auto& f) { f.set("llama.attention.head_count", gguf_u32(3)); }},
      {"0 key heads", Code::kCorrupt, "key/value heads",
       [](auto& f) { f.set("llama.attention.head_count_kv", gguf_u32(0)); }},
      {"odd head", Code::kCorrupt, "even",
       [](auto& f) { f.set("llama.attention.key_length", gguf_u32(7)); }},
      {"rotation wider than a head", Code::kCorrupt, "rope.dimension_count",
       [](auto& f) { f.set("llama.rope.dimension_count", gguf_u32(17)); }},
  });
}

TEST_CASE("a GGUF with a rotation or a norm that cannot be computed is refused") {
  check_faults({
      {"theta 0", Code::kCorrupt, "theta",
       [](auto& f) { f.set("llama.rope.freq_base", gguf_f32(0)); }},
      {"theta nan", Code::kCorrupt, "finite",
       [](auto& f) { f.set("llama.rope.freq_base", gguf_f32(std::nanf(""))); }},
      {"theta tiny", Code::kCorrupt, "radians",
       [](auto& f) { f.set("llama.rope.freq_base", gguf_f32(1e-30f)); }},
      {"no epsilon", Code::kCorrupt, "epsilon",
       [](auto& f) { f.erase("llama.attention.layer_norm_rms_epsilon"); }},
      {"epsilon negative", Code::kCorrupt, "epsilon",
       [](auto& f) { f.set("llama.attention.layer_norm_rms_epsilon", gguf_f32(-1)); }},
      {"divisor 0", Code::kCorrupt, "divisor",
       [](auto& f) {
         f.add_floats("rope_freqs.weight", {1, 0});
       }},
      {"three divisors for two pairs", Code::kCorrupt, "rope_freqs",
       [](auto& f) {
         f.add_floats("rope_freqs.weight", {1, 1, 1});
       }},
  });
}

TEST_CASE("a GGUF whose token lists do not fit each other is refused") {
  check_faults({
      {"no tokens", Code::kCorrupt, "no tokens", [](auto& f) { f.erase("tokenizer.ggml.tokens"); }},
      {"four tokens for five rows", Code::kCorrupt, "[5, 8]",
       [](auto& f) {
         f.set("tokenizer.ggml.tokens", gguf_texts({"a", "b", "c", "d"}));
         f.erase("tokenizer.ggml.token_type");
       }},
      {"four types for five tokens", Code::kCorrupt, "4 types",
       [](auto& f) {
         f.set("tokenizer.ggml.token_type", gguf_i32s({1, 1, 1, 1}));
       }},
      {"one score for five tokens", Code::kCorrupt, "1 scores",
       [](auto& f) { f.set("tokenizer.ggml.scores", gguf_f32s({1})); }},
      {"scores of another type", Code::kCorrupt, "32-bit floats",
       [](auto& f) { f.set("tokenizer.ggml.scores", gguf_i32s({1})); }},
      {"a token too long", Code::kCorrupt, "a token has",
       [](auto& f) {
         const std::string token(limits::kTokenBytesMax + 1, 'x');
         f.set("tokenizer.ggml.tokens", gguf_texts({"a", "b", "c", "d", token}));
       }},
      {"tokens of another type", Code::kCorrupt, "list of strings",
       [](auto& f) { f.set("tokenizer.ggml.tokens", gguf_i32s({1})); }},
  });
}

/// A copy whose end is the end of its memory, so that the sanitizers see any step beyond.
Result<GgufModel> read_exactly(std::string_view bytes) {
  const std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return read_gguf_model({copy.get(), bytes.size()});
}

/// Between them, every key and every kind of tensor that is read.
constexpr const char* kDifferentFamilies[] = {"llama",   "gemma2", "gemma3", "granite",
                                              "mixtral", "olmo2",  "phi3",   "qwen3moe"};

TEST_CASE("a GGUF cut short anywhere is refused") {
  for (const char* family : kDifferentFamilies) {
    CAPTURE(family);
    const std::string whole = good_gguf_of(family).bytes();
    REQUIRE(read_exactly(whole).has_value());
    for (size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      const auto model = read_exactly(std::string_view(whole).substr(0, size));
      REQUIRE(!model.has_value());
      CHECK(model.error().code == Code::kCorrupt);
    }
  }
}

TEST_CASE("a GGUF with any byte changed opens or is refused, and nothing else") {
  for (const char* family : kDifferentFamilies) {
    const std::string whole = good_gguf_of(family).bytes();
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        const auto model = read_exactly(changed);
        if (!model) CHECK(!model.error().message.empty());
      }
    }
  }
}

}  // namespace
}  // namespace ovenbird
