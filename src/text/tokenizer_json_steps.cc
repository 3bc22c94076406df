// tokenizer.json's stages, each refused by name if it is not one that is implemented.
#include "text/tokenizer_json_steps.h"

#include <algorithm>

#include "base/limits.h"
#include "base/message_text.h"
#include "text/pattern.h"
#include "text/utf8.h"

namespace ovenbird {

// Source: openai/gpt-2, encoder.py.
const char* const kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

constexpr const char* kNormalizers = "NFC, Prepend, Replace (of literal text), Sequence";
constexpr const char* kPreTokenizers = "ByteLevel, Digits, Metaspace, Split, Sequence";
constexpr const char* kDecoders =
    "ByteLevel, or a Sequence of Replace (U+2581 by a space), ByteFallback, Fuse, Strip";
constexpr const char* kPostProcessors = "ByteLevel, TemplateProcessing, Sequence";

PreTokenizerStep split_step(std::string pattern) {
  PreTokenizerStep step;
  step.pattern = std::move(pattern);
  return step;
}

void read_split(const JsonNode& node, TokenizerSpec& spec) {
  const JsonNode pattern = node.at("pattern");
  PreTokenizerStep step =
      split_step(pattern.at("Regex").exists() ? pattern.at("Regex").string()
                                              : escape_pattern(pattern.at("String").string()));
  const std::string behavior = node.at("behavior").string();
  if (behavior == "Isolated") {
    step.behavior = SplitBehavior::kIsolated;
  } else if (behavior == "Removed") {
    step.behavior = SplitBehavior::kRemoved;
  } else if (behavior == "MergedWithPrevious") {
    step.behavior = SplitBehavior::kMergedWithPrevious;
  } else if (behavior == "MergedWithNext") {
    step.behavior = SplitBehavior::kMergedWithNext;
  } else if (behavior == "Contiguous") {
    step.behavior = SplitBehavior::kContiguous;
  } else {
    node.at("behavior").wrong("a split behavior, not " + in_quotes(behavior));
  }
  step.is_inverted = node.at("invert").flag();
  spec.pre_tokenizers.push_back(std::move(step));
}

void read_metaspace(const JsonNode& node, TokenizerSpec& spec) {
  if (node.at("replacement").string() != kMetaspace) {
    node.refuse("Metaspace with another sign", "U+2581");
  }
  PreTokenizerStep step{.kind = PreTokenizerStep::Kind::kMetaspace,
                        .pattern = {},
                        .cuts_words = node.at("split").flag(true)};
  const JsonNode scheme = node.at("prepend_scheme");
  const std::string name = scheme.exists() ? scheme.string() : "always";
  // Files from before 2024 say add_prefix_space instead.
  if (name == "never" || !node.at("add_prefix_space").flag(true)) {
    step.prepend = MetaspacePrepend::kNever;
  } else if (name == "first") {
    step.prepend = MetaspacePrepend::kFirst;
  } else if (name == "always") {
    step.prepend = MetaspacePrepend::kAlways;
  } else {
    scheme.wrong("never, first or always");
  }
  spec.pre_tokenizers.push_back(std::move(step));
}

void read_byte_level(const JsonNode& node, TokenizerSpec& spec) {
  spec.form = TextForm::kByteLevel;
  if (node.at("add_prefix_space").flag(true)) {
    spec.pre_tokenizers.push_back({.kind = PreTokenizerStep::Kind::kPrefixSpace, .pattern = {}});
  }
  if (node.at("use_regex").flag(true)) spec.pre_tokenizers.push_back(split_step(kGpt2Pattern));
}

void read_digits(const JsonNode& node, TokenizerSpec& spec) {
  PreTokenizerStep step = split_step("\\p{N}");
  if (!node.at("individual_digits").flag()) step.behavior = SplitBehavior::kContiguous;
  spec.pre_tokenizers.push_back(std::move(step));
}

/// Appends the steps of `node`; `is_bytes` says that ByteLevel has been, after which nothing may
/// be.
void read_pre_tokenizer_step(const JsonNode& node, TokenizerSpec& spec, bool& is_bytes) {
  const std::string type = node.at("type").string();
  if (node.fault().is_set()) return;
  if (is_bytes) return node.refuse(type + " after ByteLevel", "ByteLevel as the last step");
  if (spec.pre_tokenizers.size() >= limits::kTokenizerStepsMax) {
    return node.refuse("so many steps", std::to_string(limits::kTokenizerStepsMax));
  }
  if (type == "Sequence") {
    for (const JsonNode& step : node.at("pretokenizers").elements()) {
      read_pre_tokenizer_step(step, spec, is_bytes);
    }
  } else if (type == "ByteLevel") {
    is_bytes = true;
    read_byte_level(node, spec);
  } else if (type == "Digits") {
    read_digits(node, spec);
  } else if (type == "Metaspace") {
    read_metaspace(node, spec);
  } else if (type == "Split") {
    read_split(node, spec);
  } else {
    node.refuse("pre-tokenizer " + in_quotes(type), kPreTokenizers);
  }
}

bool is_space_replacement(const JsonNode& node) {
  return node.at("pattern").at("String").string() == kMetaspace &&
         node.at("content").string() == " ";
}

}  // namespace

void read_normalizer(const JsonNode& node, TokenizerSpec& spec) {
  if (!node.exists()) return;
  const std::string type = node.at("type").string();
  if (node.fault().is_set()) return;
  if (spec.normalizers.size() >= limits::kTokenizerStepsMax) {
    return node.refuse("so many steps", std::to_string(limits::kTokenizerStepsMax));
  }
  if (type == "Sequence") {
    for (const JsonNode& step : node.at("normalizers").elements()) read_normalizer(step, spec);
  } else if (type == "NFC") {
    spec.normalizers.push_back({.kind = NormalizerStep::Kind::kNfc, .pattern = {}, .text = {}});
  } else if (type == "Prepend") {
    spec.normalizers.push_back({.kind = NormalizerStep::Kind::kPrepend,
                                .pattern = {},
                                .text = node.at("prepend").string()});
  } else if (type == "Replace" && node.at("pattern").at("String").is_string()) {
    spec.normalizers.push_back({.kind = NormalizerStep::Kind::kReplace,
                                .pattern = node.at("pattern").at("String").string(),
                                .text = node.at("content").string()});
  } else {
    node.refuse("normalizer " + in_quotes(type), kNormalizers);
  }
}

void read_pre_tokenizer(const JsonNode& node, TokenizerSpec& spec) {
  spec.form = TextForm::kSentencePiece;
  if (!node.exists()) return;
  bool is_bytes = false;
  read_pre_tokenizer_step(node, spec, is_bytes);
}

DecoderFacts read_decoder(const JsonNode& node, TokenizerSpec& spec) {
  DecoderFacts facts;
  const std::string type = node.at("type").string();
  if (node.fault().is_set()) return facts;
  if (spec.form == TextForm::kByteLevel) {
    if (type != "ByteLevel") node.refuse("decoder " + in_quotes(type), kDecoders);
    return facts;
  }
  if (type == "ByteLevel") {
    node.refuse("decoder ByteLevel without pre-tokenizer ByteLevel", "both or none");
    return facts;
  }
  if (type != "Sequence") {
    node.refuse("decoder " + in_quotes(type), kDecoders);
    return facts;
  }
  bool has_spaces = false, is_fused = false;
  for (const JsonNode& step : node.at("decoders").elements()) {
    const std::string name = step.at("type").string();
    if (name == "Replace" && !has_spaces && is_space_replacement(step)) {
      has_spaces = true;
    } else if (name == "ByteFallback" && !is_fused) {
      facts.decodes_byte_tokens = true;
    } else if (name == "Fuse") {
      is_fused = true;
    } else if (name == "Strip" && is_fused && step.at("content").string() == " " &&
               step.at("start").integer(1) >= 0 && step.at("stop").integer(0) == 0) {
      spec.strips_first_space = step.at("start").integer(1) == 1;
    } else {
      step.refuse("decoder " + in_quotes(name) + " here", kDecoders);
    }
  }
  if (!has_spaces) node.refuse("a decoder that leaves U+2581", kDecoders);
  return facts;
}

namespace {

void read_template(const JsonNode& node, TokenizerSpec& spec) {
  bool is_after_text = false;
  for (const JsonNode& item : node.at("single").elements()) {
    if (item.at("Sequence").exists()) {
      is_after_text = true;
      continue;
    }
    const std::string name = item.at("SpecialToken").at("id").string();
    const JsonNode token = node.at("special_tokens").at(name.c_str());
    std::vector<int32_t>& ids = is_after_text ? spec.suffix_ids : spec.prefix_ids;
    if (!token.exists()) token.wrong("the token that the template names");
    for (const JsonNode& id : token.at("ids").elements()) {
      ids.push_back(static_cast<int32_t>(id.integer(limits::kVocabularyMax)));
    }
    if (node.fault().is_set()) return;
  }
}

}  // namespace

void read_post_processor(const JsonNode& node, TokenizerSpec& spec) {
  if (!node.exists()) return;
  const std::string type = node.at("type").string();
  if (node.fault().is_set()) return;
  if (type == "Sequence") {
    for (const JsonNode& step : node.at("processors").elements()) read_post_processor(step, spec);
  } else if (type == "TemplateProcessing") {
    read_template(node, spec);
  } else if (type != "ByteLevel") {  // ByteLevel changes offsets only
    node.refuse("post-processor " + in_quotes(type), kPostProcessors);
  }
}

}  // namespace ovenbird
