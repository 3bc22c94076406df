// Vocabulary: byte-level texts become bytes, SentencePiece's stay text.
#include "text/vocabulary.h"

#include "base/message_text.h"
#include "text/byte_alphabet.h"

namespace ovenbird {
namespace {

std::optional<uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

}  // namespace

std::optional<uint8_t> byte_of_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  const std::optional<uint8_t> high = hex_digit(text[3]), low = hex_digit(text[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<uint8_t>(*high << 4 | *low);
}

void Vocabulary::put(int32_t id, std::string_view text, bool is_in_model) {
  texts_[id] = text;
  in_model_[id] = is_in_model;
  if (is_in_model) ids_.try_emplace(text, id);
}

int32_t Vocabulary::find(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? -1 : found->second;
}

Status Vocabulary::add_merge(std::string_view left, std::string_view right,
                             std::vector<Merge>& merges) const {
  const auto rank = static_cast<int32_t>(merges.size());
  const std::string both = std::string(left) += right;
  const Merge merge{.left = find(left), .right = find(right), .result = find(both), .rank = rank};
  if (merge.left < 0 || merge.right < 0 || merge.result < 0) {
    return fail(Code::kCorrupt, "merge " + std::to_string(rank) + ", " + in_quotes(left) + " and " +
                                    in_quotes(right) +
                                    ": the parts and the result must be in the vocabulary");
  }
  merges.push_back(merge);
  return ok();
}

void Vocabulary::fill(TokenizerSpec& spec, const Reading& reading) const {
  const bool is_byte_level = spec.form == TextForm::kByteLevel;
  spec.flags.assign(size(), 0);
  for (size_t index = 0; index < size(); ++index) {
    const auto id = static_cast<int32_t>(index);
    const std::optional<uint8_t> byte = is_byte_level ? std::nullopt : byte_of_token(text(id));
    if (byte && reading.decodes_byte_tokens) {
      const char bytes = static_cast<char>(*byte);
      spec.tokens.push_back({&bytes, 1});
      spec.flags[id] = kTokenByte;
      continue;
    }
    // A text with signs outside of the alphabet stands for itself: <|im_start|> and the like.
    const std::optional<std::string> bytes =
        is_byte_level ? bytes_of_alphabet(text(id)) : std::nullopt;
    spec.tokens.push_back(bytes ? *bytes : text(id));
    const bool is_findable = is_in_model(id) && (bytes.has_value() || !is_byte_level);
    if (is_findable) spec.flags[id] = kTokenInModel;
  }
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (size_t byte = 0; byte < 256; ++byte) {
    if (is_byte_level) {
      spec.byte_ids[byte] = find(alphabet_character(static_cast<uint8_t>(byte)));
    } else if (reading.falls_back_to_bytes) {
      spec.byte_ids[byte] = find(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
    }
  }
}

}  // namespace ovenbird
