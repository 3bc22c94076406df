// Tokenizer: an encoder over its description, a pool of working memory, and the way back to text.
#include "text/tokenizer.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/limits.h"
#include "text/encoder.h"
#include "text/utf8.h"

namespace ovenbird {
namespace {

/// Working memories that wait for their next use.
class ScratchPool {
 public:
  std::unique_ptr<EncodeScratch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<EncodeScratch>();
    std::unique_ptr<EncodeScratch> scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }

  void put_back(std::unique_ptr<EncodeScratch> scratch) {
    const std::lock_guard lock(mutex_);
    if (free_.size() < kKeptMax) free_.push_back(std::move(scratch));
  }

 private:
  static constexpr size_t kKeptMax = 8;
  std::mutex mutex_;
  std::vector<std::unique_ptr<EncodeScratch>> free_;
};

// A long text leaves long buffers behind; those are not kept.
constexpr size_t kKeptTextBytesMax = 1 << 16;

void append_piece(const TokenizerSpec& spec, int32_t id, std::string& out) {
  const std::string_view text = spec.tokens[id];
  if (spec.form == TextForm::kByteLevel || (spec.flags[id] & kTokenByte) != 0) {
    out += text;
    return;
  }
  size_t done = 0;
  for (size_t at = text.find(kMetaspace); at != std::string_view::npos;
       at = text.find(kMetaspace, done)) {
    out.append(text.substr(done, at - done)).append(" ");
    done = at + kMetaspace.size();
  }
  out += text.substr(done);
}

/// SentencePiece-style: a run of byte tokens is text if it is whole characters, else a U+FFFD each.
void flush_bytes(std::string& bytes, std::string& out) {
  if (is_utf8(bytes)) {
    out += bytes;
  } else {
    for (size_t i = 0; i < bytes.size(); ++i) out += kReplacementCharacter;
  }
  bytes.clear();
}

/// A token as templates write it: an added token's own text.
std::string name_of(const TokenizerSpec& spec, std::optional<int32_t> id) {
  if (!id) return {};
  for (const AddedToken& token : spec.added) {
    if (token.id == *id) return token.text;
  }
  return std::string(spec.tokens[*id]);
}

}  // namespace

struct Tokenizer::Parts {
  TokenizerSpec spec;
  std::optional<Encoder> encoder;  // always there after create()
  mutable ScratchPool pool;
};

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&& other) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&& other) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::create(TokenizerSpec spec) {
  if (Status checked = check(spec); !checked) return Failure{checked.error()};
  auto parts = std::make_unique<Parts>();
  parts->spec = std::move(spec);
  Result<Encoder> encoder = Encoder::create(parts->spec);
  if (!encoder) return Failure{encoder.error()};
  parts->encoder.emplace(std::move(*encoder));
  std::vector<Merge>().swap(parts->spec.merges);  // the encoder has them in a table of its own
  return Tokenizer(std::move(parts));
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, SpecialText special) const {
  if (special == SpecialText::kIsToken) return encode_where(text, {});
  const TextRange all{.first = 0, .end = text.size()};
  return encode_where(text, {&all, 1});
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text,
                                               std::span<const TextRange> user_text) const {
  return encode_where(text, user_text);
}

Result<std::vector<int32_t>> Tokenizer::encode_where(std::string_view text,
                                                     std::span<const TextRange> user_text) const {
  if (text.size() > limits::kPromptBytesMax) {
    return fail(Code::kInvalidArgument, "encode text: " + std::to_string(text.size()) +
                                            " bytes, at most " +
                                            std::to_string(limits::kPromptBytesMax));
  }
  std::string repaired;
  TextRange all;
  if (!is_utf8(text)) {
    repaired = utf8_lossy(text);
    text = repaired;
    // The ranges no longer fit; broken text comes from users.
    all.end = text.size();
    if (!user_text.empty()) user_text = {&all, 1};
  }
  std::vector<int32_t> ids;
  std::unique_ptr<EncodeScratch> scratch = parts_->pool.take();
  const Status done = parts_->encoder->encode(text, user_text, *scratch, ids);
  if (text.size() <= kKeptTextBytesMax) parts_->pool.put_back(std::move(scratch));
  if (!done) return Failure{done.error()};
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, SpecialTokens special) const {
  const TokenizerSpec& spec = parts_->spec;
  std::string text, bytes;
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= spec.tokens.size()) continue;
    if (special == SpecialTokens::kHidden && is_special(id)) continue;
    if ((spec.flags[id] & kTokenByte) != 0) {
      append_piece(spec, id, bytes);
      continue;
    }
    flush_bytes(bytes, text);
    append_piece(spec, id, text);
  }
  flush_bytes(bytes, text);
  if (spec.form == TextForm::kByteLevel) return is_utf8(text) ? text : utf8_lossy(text);
  if (spec.strips_first_space && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

std::string Tokenizer::piece(int32_t id) const {
  std::string text;
  if (id >= 0 && static_cast<size_t>(id) < vocabulary_size()) {
    append_piece(parts_->spec, id, text);
  }
  return text;
}

std::optional<int32_t> Tokenizer::id_of(std::string_view text) const {
  for (const AddedToken& token : parts_->spec.added) {
    if (token.text == text) return token.id;
  }
  const TokenTable& tokens = parts_->spec.tokens;
  for (size_t id = 0; id < tokens.size() && !text.empty(); ++id) {
    if (tokens[id] == text) return static_cast<int32_t>(id);
  }
  return std::nullopt;
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < vocabulary_size() &&
         (parts_->spec.flags[id] & kTokenSpecial) != 0;
}

bool Tokenizer::is_end(int32_t id) const {
  const std::vector<int32_t>& ends = parts_->spec.end_ids;
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

size_t Tokenizer::vocabulary_size() const { return parts_->spec.tokens.size(); }
const std::vector<int32_t>& Tokenizer::prefix_ids() const { return parts_->spec.prefix_ids; }
const std::vector<int32_t>& Tokenizer::suffix_ids() const { return parts_->spec.suffix_ids; }
std::optional<int32_t> Tokenizer::bos_id() const { return parts_->spec.bos_id; }
std::optional<int32_t> Tokenizer::eos_id() const { return parts_->spec.eos_id; }
bool Tokenizer::strips_first_space() const { return parts_->spec.strips_first_space; }
const TokenizerSpec& Tokenizer::spec() const { return parts_->spec; }

std::string Tokenizer::bos_text() const { return name_of(parts_->spec, bos_id()); }
std::string Tokenizer::eos_text() const { return name_of(parts_->spec, eos_id()); }

}  // namespace ovenbird
