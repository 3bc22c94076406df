// tokenizer.ovenbird: one writer and one reader, field by field in the same order.
#include "text/tokenizer_binary.h"

#include <bit>
#include <cstring>
#include <string_view>

#include "base/limits.h"

namespace ovenbird {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie");
static_assert(sizeof(Merge) == 16, "merges are copied as they lie");

constexpr std::string_view kMagic = "OVBTOKEN";
constexpr int32_t kNone = -1;

class Writer {
 public:
  void u8(uint8_t value) { out_ += static_cast<char>(value); }
  void u32(size_t value) { raw(static_cast<uint32_t>(value)); }
  void i32(int32_t value) { raw(value); }
  void bytes(std::string_view bytes) { out_ += bytes; }
  void text(std::string_view text) {
    u32(text.size());
    bytes(text);
  }
  template <typename T>
  void array(std::span<const T> values) {
    bytes({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  void ids(const std::vector<int32_t>& ids) {
    u32(ids.size());
    array(std::span(ids));
  }

  std::string take() { return std::move(out_); }

 private:
  template <typename T>
  void raw(T value) {
    bytes({reinterpret_cast<const char*>(&value), sizeof value});
  }
  std::string out_;
};

/// Reads while there are bytes; after the first fault everything is zero or empty.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes)
      : rest_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

  bool is_broken() const { return is_broken_; }
  bool is_at_end() const { return rest_.empty(); }

  std::string_view bytes(size_t count) {
    if (count > rest_.size()) {
      is_broken_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  uint8_t u8() { return raw<uint8_t>(); }
  uint32_t u32() { return raw<uint32_t>(); }
  int32_t i32() { return raw<int32_t>(); }
  std::string text() { return std::string(bytes(u32())); }

  /// A count of entries that each take at least `entry_bytes`: never more than can follow.
  size_t count(size_t entry_bytes) {
    const size_t count = u32();
    if (count <= rest_.size() / entry_bytes) return count;
    is_broken_ = true;
    rest_ = {};
    return 0;
  }

  /// `count` must come from count(), or be known to be small.
  template <typename T>
  std::vector<T> array(size_t count) {
    const std::string_view taken = bytes(count * sizeof(T));
    std::vector<T> values(taken.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), taken.data(), taken.size());
    return values;
  }
  std::vector<int32_t> ids() { return array<int32_t>(count(sizeof(int32_t))); }

  /// A number below `end`; anything else breaks the reader.
  uint8_t choice(uint8_t end) {
    const uint8_t value = u8();
    if (value < end) return value;
    is_broken_ = true;
    return 0;
  }

 private:
  template <typename T>
  T raw() {
    T value{};
    const std::string_view taken = bytes(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), sizeof value);
    return value;
  }

  std::string_view rest_;
  bool is_broken_ = false;
};

uint8_t bits_of(std::initializer_list<bool> switches) {
  unsigned bits = 0, place = 1;
  for (const bool is_on : switches) {
    if (is_on) bits |= place;
    place <<= 1;
  }
  return static_cast<uint8_t>(bits);
}

bool bit(uint8_t bits, unsigned place) { return (bits >> place & 1) != 0; }

std::optional<int32_t> optional_id(int32_t id) {
  return id == kNone ? std::nullopt : std::optional(id);
}

void write_tokens(const TokenizerSpec& spec, Writer& out) {
  out.u32(spec.tokens.size());
  out.array(std::span(spec.tokens.ends()));
  out.bytes(spec.tokens.bytes());
  out.array(std::span(spec.flags));
  out.array(std::span<const int32_t>(spec.byte_ids));
}

/// False if the ends do not ascend.
bool read_tokens(Reader& in, TokenizerSpec& spec) {
  const size_t count = in.count(sizeof(uint32_t));
  std::vector<uint32_t> ends = in.array<uint32_t>(count);
  uint32_t last = 0;
  for (const uint32_t end : ends) {
    if (end < last) return false;
    last = end;
  }
  const std::string_view bytes = in.bytes(last);
  if (in.is_broken()) return false;
  spec.tokens = TokenTable(std::string(bytes), std::move(ends));
  spec.flags = in.array<uint8_t>(count);
  const std::vector<int32_t> byte_ids = in.array<int32_t>(spec.byte_ids.size());
  if (in.is_broken()) return false;
  std::copy(byte_ids.begin(), byte_ids.end(), spec.byte_ids.begin());
  return true;
}

void write_added(const std::vector<AddedToken>& added, Writer& out) {
  out.u32(added.size());
  for (const AddedToken& token : added) {
    out.i32(token.id);
    out.text(token.text);
    out.u8(bits_of({token.is_special, token.eats_space_left, token.eats_space_right,
                    token.is_normalized, token.is_single_word}));
  }
}

std::vector<AddedToken> read_added(Reader& in) {
  std::vector<AddedToken> added(in.count(9));
  for (AddedToken& token : added) {
    token.id = in.i32();
    token.text = in.text();
    const uint8_t bits = in.u8();
    token.is_special = bit(bits, 0);
    token.eats_space_left = bit(bits, 1);
    token.eats_space_right = bit(bits, 2);
    token.is_normalized = bit(bits, 3);
    token.is_single_word = bit(bits, 4);
  }
  return added;
}

void write_steps(const TokenizerSpec& spec, Writer& out) {
  out.u32(spec.normalizers.size());
  for (const NormalizerStep& step : spec.normalizers) {
    out.u8(static_cast<uint8_t>(step.kind));
    out.text(step.pattern);
    out.text(step.text);
  }
  out.u32(spec.pre_tokenizers.size());
  for (const PreTokenizerStep& step : spec.pre_tokenizers) {
    out.u8(static_cast<uint8_t>(step.kind));
    out.text(step.pattern);
    out.u8(static_cast<uint8_t>(step.behavior));
    out.u8(bits_of({step.is_inverted, step.cuts_words}));
    out.u8(static_cast<uint8_t>(step.prepend));
  }
}

void read_steps(Reader& in, TokenizerSpec& spec) {
  spec.normalizers.resize(in.count(9));
  for (NormalizerStep& step : spec.normalizers) {
    step.kind = static_cast<NormalizerStep::Kind>(in.choice(3));
    step.pattern = in.text();
    step.text = in.text();
  }
  spec.pre_tokenizers.resize(in.count(8));
  for (PreTokenizerStep& step : spec.pre_tokenizers) {
    step.kind = static_cast<PreTokenizerStep::Kind>(in.choice(3));
    step.pattern = in.text();
    step.behavior = static_cast<SplitBehavior>(in.choice(5));
    const uint8_t bits = in.u8();
    step.is_inverted = bit(bits, 0);
    step.cuts_words = bit(bits, 1);
    step.prepend = static_cast<MetaspacePrepend>(in.choice(3));
  }
}

}  // namespace

std::string serialize_tokenizer(const TokenizerSpec& spec) {
  Writer out;
  out.bytes(kMagic);
  out.u32(kTokenizerBinaryVersion);
  out.u8(static_cast<uint8_t>(spec.form));
  out.u8(bits_of({spec.fuses_unknown, spec.ignores_merges, spec.strips_first_space}));
  write_tokens(spec, out);
  out.u32(spec.merges.size());
  out.array(std::span(spec.merges));
  write_added(spec.added, out);
  write_steps(spec, out);
  out.i32(spec.unknown_id.value_or(kNone));
  out.i32(spec.bos_id.value_or(kNone));
  out.i32(spec.eos_id.value_or(kNone));
  out.ids(spec.prefix_ids);
  out.ids(spec.suffix_ids);
  out.ids(spec.end_ids);
  out.text(spec.chat_template);
  return out.take();
}

Result<TokenizerSpec> parse_tokenizer(std::span<const std::byte> bytes) {
  Reader in(bytes);
  if (in.bytes(kMagic.size()) != kMagic) {
    return fail(Code::kCorrupt, "read tokenizer.ovenbird: it does not begin with " +
                                    std::string(kMagic) + "; bake the model again");
  }
  const uint32_t version = in.u32();
  if (version != kTokenizerBinaryVersion) {
    return fail(Code::kUnsupported, "read tokenizer.ovenbird: version " + std::to_string(version) +
                                        ", this program reads " +
                                        std::to_string(kTokenizerBinaryVersion) +
                                        "; bake the model again");
  }
  TokenizerSpec spec;
  spec.form = static_cast<TextForm>(in.choice(2));
  const uint8_t switches = in.u8();
  spec.fuses_unknown = bit(switches, 0);
  spec.ignores_merges = bit(switches, 1);
  spec.strips_first_space = bit(switches, 2);
  const bool has_tokens = read_tokens(in, spec);
  spec.merges = in.array<Merge>(in.count(sizeof(Merge)));
  spec.added = read_added(in);
  read_steps(in, spec);
  spec.unknown_id = optional_id(in.i32());
  spec.bos_id = optional_id(in.i32());
  spec.eos_id = optional_id(in.i32());
  spec.prefix_ids = in.ids();
  spec.suffix_ids = in.ids();
  spec.end_ids = in.ids();
  spec.chat_template = in.text();
  if (!has_tokens || in.is_broken() || !in.is_at_end()) {
    return fail(
        Code::kCorrupt,
        "read tokenizer.ovenbird: damaged, or cut short, or too long; bake the model again");
  }
  if (Status checked = check(spec); !checked) {
    return fail_in("read tokenizer.ovenbird", checked.error());
  }
  return spec;
}

}  // namespace ovenbird
