// tokenizer.json of Hugging Face's tokenizers, version 1.0, with a BPE model.
#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "base/message_text.h"
#include "text/json_node.h"
#include "text/tokenizer_json_steps.h"
#include "text/tokenizer_spec.h"
#include "text/vocabulary.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

/// What this file does not carry over into a TokenizerSpec must be switched off.
void check_model(const JsonNode& model) {
  if (!model.is_object()) return model.wrong("an object");
  const JsonNode type = model.at("type");
  if (type.exists() && type.string() != "BPE") {
    return type.refuse("model " + in_quotes(type.string()), "BPE");
  }
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const JsonNode node = model.at(affix);
    if (node.exists() && !node.string().empty()) node.refuse("a text here", "none");
  }
  const JsonNode dropout = model.at("dropout");
  if (dropout.exists() && dropout.value() != 0.0) dropout.refuse("dropout", "none");
  if (!model.at("vocab").is_object()) model.at("vocab").wrong("an object");
  if (!model.at("merges").is_array()) model.at("merges").wrong("an array");
}

std::vector<AddedToken> read_added_tokens(const JsonNode& list) {
  std::vector<AddedToken> added;
  if (list.is_array() && list.value().size() > limits::kAddedTokensMax) {
    list.fault().set(Code::kCorrupt, "too many added tokens");
    return added;
  }
  for (const JsonNode& node : list.elements()) {
    AddedToken token{
        .id = static_cast<int32_t>(node.at("id").integer(limits::kVocabularyMax - 1)),
        .text = node.at("content").string(),
        .is_special = node.at("special").flag(),
        .eats_space_left = node.at("lstrip").flag(),
        .eats_space_right = node.at("rstrip").flag(),
        .is_normalized = node.at("normalized").flag(),
        .is_single_word = node.at("single_word").flag(),
    };
    // An empty token would match everywhere; Hugging Face ignores it too.
    if (!token.text.empty()) added.push_back(std::move(token));
  }
  return added;
}

/// One more than the largest id. Ids without a token cost memory that the file has not paid for.
size_t count_ids(const JsonNode& model_vocabulary, const std::vector<AddedToken>& added) {
  int64_t largest = -1;
  for (const auto& [text, id] : model_vocabulary.value().items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= limits::kVocabularyMax) {
      model_vocabulary.fault().set(Code::kCorrupt, "model.vocab: the id of " + in_quotes(text) +
                                                       " is " + std::string(id.type_name()) + " " +
                                                       printable(id.is_number() ? id.dump() : "") +
                                                       ", want an integer from 0 to " +
                                                       std::to_string(limits::kVocabularyMax - 1));
      return 0;
    }
    largest = std::max(largest, id.get<int64_t>());
  }
  for (const AddedToken& token : added) largest = std::max<int64_t>(largest, token.id);
  const auto size = static_cast<size_t>(largest + 1);
  const size_t tokens = model_vocabulary.value().size() + added.size();
  if (size > tokens + limits::kVocabularyHolesMax) {
    model_vocabulary.fault().set(
        Code::kCorrupt, "the largest id is " + std::to_string(largest) + " for " +
                            std::to_string(tokens) + " tokens; at most " +
                            std::to_string(limits::kVocabularyHolesMax) + " ids may have none");
  }
  return size;
}

void read_vocabulary(const JsonNode& node, const std::vector<AddedToken>& added,
                     Vocabulary& vocabulary) {
  for (const auto& member : node.value().items()) {
    const auto id = member.value().get<int32_t>();
    if (vocabulary.has(id)) {
      return node.fault().set(Code::kCorrupt,
                              "model.vocab: two tokens have id " + std::to_string(id));
    }
    vocabulary.put(id, member.key(), true);
  }
  for (const AddedToken& token : added) {
    const int32_t in_model = vocabulary.find(token.text);
    const bool is_taken = vocabulary.has(token.id) && vocabulary.text(token.id) != token.text;
    if (is_taken || (in_model >= 0 && in_model != token.id)) {
      return node.fault().set(Code::kCorrupt, "added token " + in_quotes(token.text) + " has id " +
                                                  std::to_string(token.id) +
                                                  ", which the vocabulary contradicts");
    }
    if (!vocabulary.has(token.id)) vocabulary.put(token.id, token.text, false);
  }
}

/// "left right", as files before 2024 have it, or ["left", "right"].
bool read_merge(const Json& merge, std::string_view& left, std::string_view& right) {
  if (merge.is_array()) {
    if (merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) return false;
    left = merge[0].get_ref<const std::string&>();
    right = merge[1].get_ref<const std::string&>();
    return true;
  }
  if (!merge.is_string()) return false;
  const std::string_view both = merge.get_ref<const std::string&>();
  const size_t space = both.find(' ');
  if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
    return false;
  }
  left = both.substr(0, space);
  right = both.substr(space + 1);
  return true;
}

void read_merges(const JsonNode& node, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  const Json& merges = node.value();
  if (merges.size() > limits::kMergesMax) return node.wrong("fewer merges");
  spec.merges.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    std::string_view left, right;
    if (!read_merge(merges[i], left, right)) {
      return node.fault().set(Code::kCorrupt,
                              "model.merges[" + std::to_string(i) + "] is not a pair of texts");
    }
    if (Status added = vocabulary.add_merge(left, right, spec.merges); !added) {
      return node.fault().set(added.error().code, added.error().message);
    }
  }
}

void read_unknown(const JsonNode& model, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  const JsonNode token = model.at("unk_token");
  if (!token.exists()) return;
  const std::string text = token.string();
  int32_t id = vocabulary.find(text);
  for (const AddedToken& added : spec.added) {
    if (id < 0 && added.text == text) id = added.id;
  }
  if (id < 0) return token.wrong("a token of the vocabulary");
  spec.unknown_id = id;
}

Result<TokenizerSpec> read_tokenizer(const Json& document) {
  Fault fault("tokenizer.json");
  const JsonNode root(document, "", fault);
  if (!root.is_object()) {
    return fail(Code::kCorrupt, "tokenizer.json: not an object at the top");
  }
  const JsonNode model = root.at("model");
  check_model(model);
  TokenizerSpec spec;
  if (!fault.is_set()) spec.added = read_added_tokens(root.at("added_tokens"));
  const size_t size = fault.is_set() ? 0 : count_ids(model.at("vocab"), spec.added);
  if (fault.is_set()) return Failure{fault.error()};

  Vocabulary vocabulary(size);
  read_vocabulary(model.at("vocab"), spec.added, vocabulary);
  read_normalizer(root.at("normalizer"), spec);
  read_pre_tokenizer(root.at("pre_tokenizer"), spec);
  const DecoderFacts decoder = read_decoder(root.at("decoder"), spec);
  read_post_processor(root.at("post_processor"), spec);
  if (!fault.is_set()) read_unknown(model, vocabulary, spec);
  if (!fault.is_set()) read_merges(model.at("merges"), vocabulary, spec);
  spec.fuses_unknown = model.at("fuse_unk").flag();
  spec.ignores_merges = model.at("ignore_merges").flag();
  vocabulary.fill(spec, {.falls_back_to_bytes = model.at("byte_fallback").flag(),
                         .decodes_byte_tokens = decoder.decodes_byte_tokens});
  for (const AddedToken& token : spec.added) {
    if (token.is_special) spec.flags[token.id] |= kTokenSpecial;
  }
  if (fault.is_set()) return Failure{fault.error()};
  return spec;
}

// ---- tokenizer_config.json

/// The id of a token that the configuration names as a text or as {"content": text}.
std::optional<int32_t> read_named_token(const JsonNode& node, const TokenizerSpec& spec) {
  if (!node.exists()) return std::nullopt;
  const std::string text = node.is_object() ? node.at("content").string() : node.string();
  for (const AddedToken& token : spec.added) {
    if (token.text == text) return token.id;
  }
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (!text.empty() && spec.tokens[id] == text) return static_cast<int32_t>(id);
  }
  return std::nullopt;  // some models name tokens that they do not have
}

/// A text, or a list of named ones, of which "default" counts.
std::string read_chat_template(const JsonNode& node) {
  if (!node.exists()) return {};
  if (!node.is_array()) return node.string();
  for (const JsonNode& entry : node.elements()) {
    if (entry.at("name").string() == "default") return entry.at("template").string();
  }
  return {};
}

Status read_config(std::string_view text, TokenizerSpec& spec) {
  const Result<Json> document = parse_json(text);
  if (!document) return fail_in("tokenizer_config.json", document.error());
  Fault fault("tokenizer_config.json");
  const JsonNode root(*document, "", fault);
  if (!root.is_object()) {
    return fail(Code::kCorrupt, "tokenizer_config.json: not an object at the top");
  }
  spec.bos_id = read_named_token(root.at("bos_token"), spec);
  spec.eos_id = read_named_token(root.at("eos_token"), spec);
  if (spec.eos_id) spec.end_ids = {*spec.eos_id};
  spec.chat_template = read_chat_template(root.at("chat_template"));
  if (fault.is_set()) return Failure{fault.error()};
  return ok();
}

}  // namespace

Result<TokenizerSpec> tokenizer_spec_from_json(std::string_view tokenizer_json,
                                               std::string_view tokenizer_config_json) {
  Result<Json> document = parse_json(tokenizer_json);
  if (!document) return fail_in("tokenizer.json", document.error());
  Result<TokenizerSpec> spec = read_tokenizer(*document);
  if (!spec) return spec;
  if (!tokenizer_config_json.empty()) {
    if (Status read = read_config(tokenizer_config_json, *spec); !read) {
      return Failure{read.error()};
    }
  }
  if (Status checked = check(*spec); !checked) return Failure{checked.error()};
  return spec;
}

}  // namespace ovenbird
