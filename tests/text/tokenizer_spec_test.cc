// Tokenizer descriptions: what cannot be done is refused by name, and damaged sources end in one
// line.
#include "text/tokenizer_spec.h"

#include <cmath>
#include <functional>
#include <string>

#include <doctest/doctest.h>
#include "golden_strings.h"
#include "text/tokenizer.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

Json good() { return *parse_json(read_text_data("gpt2.tokenizer.json")); }

/// Reads the good file with one change.
Result<TokenizerSpec> changed(const std::function<void(Json&)>& change) {
  Json document = good();
  change(document);
  return tokenizer_spec_from_json(document.dump(), "");
}

void check_error(const Result<TokenizerSpec>& spec, Code code, const std::string& part) {
  CAPTURE(part);
  REQUIRE(!spec);
  CHECK(spec.error().code == code);
  CHECK_MESSAGE(spec.error().message.find(part) != std::string::npos, spec.error().message);
  CHECK(spec.error().message.find('\n') == std::string::npos);
}

TEST_CASE("tokenizer.json: kinds that are not implemented are refused by name") {
  const auto refuse = [](const std::string& part, const std::function<void(Json&)>& change) {
    check_error(changed(change), Code::kUnsupported, part);
  };
  refuse("Unigram", [](Json& j) { j["model"]["type"] = "Unigram"; });
  refuse("dropout", [](Json& j) { j["model"]["dropout"] = 0.1; });
  refuse("end_of_word_suffix", [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; });
  refuse("Magic", [](Json& j) { j["pre_tokenizer"]["type"] = "Magic"; });
  refuse("Lowercase", [](Json& j) { j["normalizer"] = {{"type", "Lowercase"}}; });
  refuse("WordPiece", [](Json& j) { j["decoder"]["type"] = "WordPiece"; });
  refuse("RobertaProcessing", [](Json& j) {
    j["post_processor"] = {{"type", "RobertaProcessing"}};
  });
  refuse("ByteLevel without", [](Json& j) { j["pre_tokenizer"] = nullptr; });
}

TEST_CASE("tokenizer.json: contradictions are named") {
  const auto corrupt = [](const std::string& part, const std::function<void(Json&)>& change) {
    check_error(changed(change), Code::kCorrupt, part);
  };
  corrupt("model is missing", [](Json& j) { j.erase("model"); });
  corrupt("model.merges is missing", [](Json& j) { j["model"].erase("merges"); });
  corrupt("model.vocab is array", [](Json& j) { j["model"]["vocab"] = Json::array(); });
  corrupt("the id of \"a\"", [](Json& j) { j["model"]["vocab"]["a"] = -1; });
  corrupt("the id of \"a\"", [](Json& j) { j["model"]["vocab"]["a"] = 1.5; });
  corrupt("the id of \"a\"", [](Json& j) { j["model"]["vocab"]["a"] = limits::kVocabularyMax; });
  corrupt("two tokens have id", [](Json& j) { j["model"]["vocab"]["a"] = 1; });
  corrupt("merges[0]", [](Json& j) { j["model"]["merges"][0] = "a b c"; });
  corrupt("must be in the vocabulary", [](Json& j) {
    j["model"]["merges"][0] = {"nothing", "here"};
  });
  corrupt("contradicts", [](Json& j) { j["added_tokens"][0]["id"] = 3; });
  corrupt("unk_token", [](Json& j) { j["model"]["unk_token"] = "<none>"; });
  corrupt("an object", [](Json& j) { j = Json::array(); });
  corrupt("regular expression", [](Json& j) {
    const Json split = {{"type", "Split"},
                        {"pattern", {{"Regex", "(a"}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    j["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, j["pre_tokenizer"]}}};
  });
  corrupt("the token that the template names", [](Json& j) {
    j["post_processor"] = {{"type", "TemplateProcessing"},
                           {"single", {{{"SpecialToken", {{"id", "<x>"}}}}}},
                           {"special_tokens", Json::object()}};
  });
}

TEST_CASE("tokenizer.json: odd but harmless things load") {
  CHECK(changed([](Json& j) { j["added_tokens"][0]["content"] = ""; }));
  CHECK(changed([](Json& j) { j["model"]["vocab"][""] = 5000; }));
  CHECK(changed([](Json& j) { j["model"].erase("type"); }));
  CHECK(changed([](Json& j) {
    for (Json& merge : j["model"]["merges"]) {
      merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    }
  }));
}

TEST_CASE("tokenizer.json cut anywhere is an error") {
  const std::string text = read_text_data("spm_unknown.tokenizer.json");
  for (size_t bytes = 0; bytes + 2 < text.size(); bytes += 97) {
    CHECK(!tokenizer_spec_from_json(text.substr(0, bytes), ""));
  }
}

TEST_CASE("tokenizer_config.json names tokens and the chat template") {
  const std::string text = read_text_data("gpt2.tokenizer.json");
  const auto spec = tokenizer_spec_from_json(
      text, R"({"bos_token":{"content":"<s>"},"eos_token":"</s>","chat_template":
                [{"name":"tool_use","template":"T"},{"name":"default","template":"D"}]})");
  REQUIRE(spec);
  CHECK(spec->bos_id.has_value());
  CHECK(spec->end_ids == std::vector<int32_t>{*spec->eos_id});
  CHECK(spec->chat_template == "D");
  check_error(tokenizer_spec_from_json(text, R"({"chat_template":5})"), Code::kCorrupt,
              "tokenizer_config.json: chat_template");
  check_error(tokenizer_spec_from_json(text, "[]"), Code::kCorrupt, "tokenizer_config.json");
}

GgufVocabulary small_gguf() {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "a", "b", "ab", "\xE2\x96\x81"};
  vocabulary.types = {2, 3, 1, 1, 1, 1};
  vocabulary.scores = {0, 0, -2, -3, -1, -4};
  vocabulary.bos_id = 1;
  return vocabulary;
}

TEST_CASE("GGUF: damaged metadata is named") {
  REQUIRE(tokenizer_spec_from_gguf(small_gguf()));
  const auto refuse = [](Code code, const std::string& part, auto change) {
    GgufVocabulary vocabulary = small_gguf();
    change(vocabulary);
    check_error(tokenizer_spec_from_gguf(vocabulary), code, part);
  };
  using V = GgufVocabulary;
  refuse(Code::kUnsupported, "\"magic\"", [](V& v) { v.model = "magic"; });
  refuse(Code::kUnsupported, "\"new-one\"", [](V& v) { v.model = "gpt2", v.pre = "new-one"; });
  refuse(Code::kCorrupt, "tokens is missing", [](V& v) { v.tokens.clear(); });
  refuse(Code::kCorrupt, "scores has 1", [](V& v) { v.scores.resize(1); });
  refuse(Code::kCorrupt, "token_type has 2", [](V& v) { v.types.resize(2); });
  refuse(Code::kCorrupt, "score of token", [](V& v) { v.scores[4] = NAN; });
  refuse(Code::kCorrupt, "bos_token_id is 6", [](V& v) { v.bos_id = 6; });
  refuse(Code::kCorrupt, "at most 512",
         [](V& v) { v.tokens[4] = std::string(limits::kScoredTokenBytesMax + 1, 'a'); });
  refuse(Code::kCorrupt, "merge 0",
         [](V& v) { v.model = "gpt2", v.pre = "gpt-2", v.merges = {"nospace"}; });
  refuse(Code::kCorrupt, "must be in the vocabulary",
         [](V& v) { v.model = "gpt2", v.pre = "gpt-2", v.merges = {"a c"}; });
}

TEST_CASE("GGUF: ids that mean none are none") {
  GgufVocabulary vocabulary = small_gguf();
  vocabulary.eos_id = 0xFFFFFFFF;
  const auto spec = tokenizer_spec_from_gguf(vocabulary);
  REQUIRE(spec);
  CHECK(!spec->eos_id);
  CHECK(spec->end_ids.empty());
  CHECK(spec->prefix_ids == std::vector<int32_t>{1});
}

TEST_CASE("GGUF: byte-level BPE leaves out bytes that have no token") {
  GgufVocabulary vocabulary = small_gguf();
  vocabulary.model = "gpt2";
  vocabulary.pre = "gpt-2";
  vocabulary.unknown_id = 0;
  auto spec = tokenizer_spec_from_gguf(vocabulary);
  REQUIRE(spec);
  const auto tokenizer = Tokenizer::create(std::move(*spec));
  REQUIRE(tokenizer);
  CHECK(*tokenizer->encode("axb", SpecialText::kIsText) == std::vector<int32_t>{2, 3});
}

TEST_CASE("tokenizer.json: so many ids may be without a token, and not one more") {
  const Json file = good();
  const size_t tokens = file["model"]["vocab"].size() + file["added_tokens"].size() + 1;
  const auto with_far_token = [](size_t id) {
    return changed([id](Json& j) {
      j["added_tokens"].push_back({{"id", id}, {"content", "<far>"}, {"special", true}});
    });
  };
  const size_t size_max = tokens + limits::kVocabularyHolesMax;
  const Result<TokenizerSpec> spec = with_far_token(size_max - 1);
  REQUIRE(spec);
  CHECK(spec->tokens.size() == size_max);
  check_error(with_far_token(size_max), Code::kCorrupt, "at most 65536 ids may have none");
}

TEST_CASE("limits on added tokens hold to the byte") {
  const auto with_added = [](size_t bytes) {
    return changed([&](Json& j) {
      Json token = j["added_tokens"][0];
      token["content"] = std::string(bytes, 'x');
      token["id"] = 1500;
      j["added_tokens"].push_back(token);
    });
  };
  CHECK(with_added(limits::kAddedTokenBytesMax));
  check_error(with_added(limits::kAddedTokenBytesMax + 1), Code::kCorrupt, "at most 256");
}

}  // namespace
}  // namespace ovenbird
