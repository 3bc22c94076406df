// Tokenizer: on 3,000 varied strings a family, the ids and the decoded texts of Hugging Face's
// tokenizers (0.23.3) and of sentencepiece (0.2.3); see tests/data/text/make_tokenizer_goldens.py.
#include <optional>
#include <string>

#include <doctest/doctest.h>
#include "golden_strings.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/tokenizer_binary.h"
#include "text/utf8.h"

namespace ovenbird {
namespace {

constexpr size_t kStrings = 3000;

/// Through the binary form, as a bundle keeps it.
Tokenizer load(const Result<TokenizerSpec>& spec) {
  if (!spec) FAIL(spec.error().message);
  const std::string bytes = serialize_tokenizer(*spec);
  Result<TokenizerSpec> parsed = parse_tokenizer(std::as_bytes(std::span(bytes)));
  REQUIRE(parsed);
  CHECK(serialize_tokenizer(*parsed) == bytes);
  Result<Tokenizer> tokenizer = Tokenizer::create(std::move(*parsed));
  REQUIRE(tokenizer);
  return std::move(*tokenizer);
}

std::string hashes_of(const Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.encode(text, SpecialText::kIsToken);
  const auto plain = tokenizer.encode(text, SpecialText::kIsText);
  if (!ids || !plain) return "refused";
  return fnv_ids(*ids) + " " + fnv_ids(*plain) + " " +
         fnv(tokenizer.decode(*ids, SpecialTokens::kShown)) + " " +
         fnv(tokenizer.decode(*ids, SpecialTokens::kHidden));
}

void check_family(const std::string& name, const Tokenizer& tokenizer) {
  const GoldenStrings strings;
  const std::vector<std::string> golden = golden_hashes(name);
  REQUIRE(golden.size() == kStrings);
  size_t wrong = 0;
  for (size_t i = 0; i < kStrings; ++i) {
    const std::string text = strings.draw(i);
    const std::string hashes = hashes_of(tokenizer, text);
    if (hashes != golden[i] && ++wrong <= 3) {
      MESSAGE(name << " string " << i << " is " << hashes << ", want " << golden[i] << ": "
                   << text.substr(0, 200));
    }
  }
  CHECK_MESSAGE(wrong == 0, name);
}

TEST_CASE("tokenizer.json: ids and texts are those of Hugging Face's tokenizers") {
  for (const char* name : {"gpt2", "smollm", "llama3", "qwen2", "tekken", "gpt4o", "spm_prepend",
                           "spm_metaspace", "gemma", "spm_unknown", "odd_bytes", "odd_spm"}) {
    CAPTURE(name);
    check_family(name, load(tokenizer_spec_from_json(
                           read_text_data(std::string(name) + ".tokenizer.json"), "{}")));
  }
}

TEST_CASE("tokenizer.json: what is put around a text comes from its template") {
  const Tokenizer llama3 =
      load(tokenizer_spec_from_json(read_text_data("llama3.tokenizer.json"), ""));
  CHECK(llama3.prefix_ids() == std::vector<int32_t>{*llama3.id_of("<s>")});
  CHECK(llama3.suffix_ids().empty());
}

/// The metadata that a GGUF file of this byte-level tokenizer would have.
GgufVocabulary as_gguf(const std::string& name, const std::string& pre) {
  const nlohmann::json document = *parse_json(read_text_data(name + ".tokenizer.json"));
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  vocabulary.add_bos = false;
  vocabulary.tokens.resize(2000);
  size_t count = 0;
  for (const auto& [text, id] : document["model"]["vocab"].items()) {
    vocabulary.tokens[id.get<size_t>()] = text;
    ++count;
  }
  vocabulary.types.assign(2000, 1);
  for (const auto& token : document["added_tokens"]) {
    const auto id = token["id"].get<size_t>();
    if (vocabulary.tokens[id].empty()) ++count;
    vocabulary.tokens[id] = token["content"];
    vocabulary.types[id] = 3;
  }
  vocabulary.tokens.resize(count);
  vocabulary.types.resize(count);
  for (const auto& merge : document["model"]["merges"]) {
    vocabulary.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return vocabulary;
}

TEST_CASE("GGUF: a byte-level vocabulary gives the same ids as its tokenizer.json") {
  check_family("gpt2", load(tokenizer_spec_from_gguf(as_gguf("gpt2", "gpt-2"))));
  check_family("smollm", load(tokenizer_spec_from_gguf(as_gguf("smollm", "smollm"))));
  check_family("llama3", load(tokenizer_spec_from_gguf(as_gguf("llama3", "llama-bpe"))));
  check_family("qwen2", load(tokenizer_spec_from_gguf(as_gguf("qwen2", "qwen2"))));
  check_family("gpt4o", load(tokenizer_spec_from_gguf(as_gguf("gpt4o", "gpt-4o"))));
  // Every token of this one comes out of merges, so ignoring them changes nothing.
  check_family("llama3", load(tokenizer_spec_from_gguf(as_gguf("llama3", "smaug-bpe"))));
  check_family("llama3", load(tokenizer_spec_from_gguf(as_gguf("llama3", "dbrx"))));
}

TEST_CASE("GGUF: a vocabulary with scores gives the ids of sentencepiece") {
  const nlohmann::json pieces = *parse_json(read_text_data("pieces.json"));
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = pieces["tokens"].get<std::vector<std::string>>();
  vocabulary.scores = pieces["scores"].get<std::vector<float>>();
  vocabulary.types = pieces["types"].get<std::vector<int32_t>>();
  vocabulary.unknown_id = 0;
  const Tokenizer tokenizer = load(tokenizer_spec_from_gguf(vocabulary));
  const GoldenStrings strings;
  const std::vector<std::string> golden = golden_hashes("pieces");
  REQUIRE(golden.size() == kStrings);
  size_t wrong = 0;
  for (size_t i = 0; i < kStrings; ++i) {
    std::string text = strings.draw(i);
    for (const std::string_view drop :
         {std::string_view("<unk>"), std::string_view("<s>"), std::string_view("</s>"),
          std::string_view("<|im_start|>"), std::string_view("<|im_end|>"),
          std::string_view("<|endoftext|>"), std::string_view("\0", 1), kMetaspace}) {
      for (size_t at = text.find(drop); at != std::string::npos; at = text.find(drop, at)) {
        text.erase(at, drop.size());
      }
    }
    const auto ids = tokenizer.encode(text, SpecialText::kIsText);
    REQUIRE(ids);
    if (fnv_ids(*ids) != golden[i] && ++wrong <= 3) MESSAGE("string " << i << ": " << text);
  }
  CHECK(wrong == 0);
}

TEST_CASE("a stream shows what decoding at once shows, whole characters at a time") {
  const GoldenStrings strings;
  for (const char* name : {"qwen2", "spm_prepend"}) {
    const Tokenizer tokenizer =
        load(tokenizer_spec_from_json(read_text_data(std::string(name) + ".tokenizer.json"), ""));
    for (size_t i = 0; i < kStrings; ++i) {
      const auto ids = tokenizer.encode(strings.draw(i), SpecialText::kIsToken);
      REQUIRE(ids);
      StreamDecoder stream(tokenizer, SpecialTokens::kHidden,
                           StreamDecoder::Position::kStartOfText);
      std::string shown;
      bool is_whole = true;
      for (const int32_t id : *ids) {
        const std::string text = stream.feed(id);
        is_whole = is_whole && is_utf8(text);
        shown += text;
      }
      shown += stream.finish();
      if (!is_whole || shown != tokenizer.decode(*ids, SpecialTokens::kHidden)) {
        FAIL_CHECK(name << " string " << i);
      }
    }
  }
}

}  // namespace
}  // namespace ovenbird
