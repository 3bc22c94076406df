// A Hugging Face directory: what comes out is what its files hold.
#include <doctest/doctest.h>

#include "base/limits.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/refusal.h"
#include "checkpoint/tiny_hugging_face.h"

namespace ovenbird {
namespace {

std::unique_ptr<Checkpoint> open_directory(const TemporaryDirectory& directory) {
  auto opened = open_checkpoint(directory.path());
  if (!opened) FAIL(opened.error().message);
  return *std::move(opened);
}

TEST_CASE("the texts come out as they stand in the files") {
  const TemporaryDirectory directory;
  good_hugging_face().write(directory);
  const std::string generation = "{ \"eos_token_id\" : [1,2] }\n";
  directory.write("generation_config.json", generation);
  directory.write("tokenizer.json", "{\"any\": 1}");
  directory.write("tokenizer_config.json", "not read here");
  directory.write("chat_template.jinja", "{{ messages }}");

  const auto checkpoint = open_directory(directory);

  CHECK(checkpoint->config_json() == good_hugging_face().config.dump());
  CHECK(checkpoint->generation_config_json() == generation);
  CHECK(checkpoint->config().eos_ids == std::vector<int64_t>{1, 2});
  const auto& files = std::get<TokenizerFiles>(checkpoint->tokenizer());
  CHECK(files.tokenizer_json == "{\"any\": 1}");
  CHECK(files.tokenizer_config_json == "not read here");
  CHECK(files.chat_template == "{{ messages }}");
  CHECK(checkpoint->description() == "safetensors, llama, F32, 1 file");
}

TEST_CASE("a directory without tokenizer and generation files opens") {
  const TemporaryDirectory directory;
  good_hugging_face().write(directory);

  const auto checkpoint = open_directory(directory);

  CHECK(checkpoint->generation_config_json().empty());
  CHECK(std::get<TokenizerFiles>(checkpoint->tokenizer()).tokenizer_json.empty());
}

TEST_CASE("weights keep their bytes, releasing included") {
  const TemporaryDirectory directory;
  TinyHuggingFace model = good_hugging_face();
  model.weights.data.assign(model.weights.data.size(), 'w');
  model.write(directory);

  const auto checkpoint = open_directory(directory);

  const Tensor* down = checkpoint->find(Weight::kDown, 0);
  REQUIRE(down);
  CHECK(down->rows == 8);
  CHECK(down->columns == 12);
  CHECK(down->interleaved_heads == 0);
  checkpoint->release(*down);
  CHECK(down->row(7).back() == std::byte{'w'});
}

TEST_CASE("an unused head and stored frequencies are passed over") {
  const TemporaryDirectory directory;
  TinyHuggingFace model = good_hugging_face();
  model.weights.add("lm_head.weight", {5, 8});
  model.weights.add("model.layers.0.self_attn.rotary_emb.inv_freq", {2});
  model.write(directory);

  CHECK(open_directory(directory)->find(Weight::kHead) == nullptr);
}

TEST_CASE("an untied head must be there") {
  const TemporaryDirectory directory;
  TinyHuggingFace model = good_hugging_face();
  model.config["tie_word_embeddings"] = false;
  model.write(directory);
  check_refused(directory.path(), Code::kCorrupt, "\"lm_head.weight\" is missing");

  model.weights.add("lm_head.weight", {5, 8});
  model.write(directory);
  CHECK(open_directory(directory)->find(Weight::kHead)->rows == 5);
}

TEST_CASE("shapes must be what config.json says") {
  const TemporaryDirectory directory;
  TinyHuggingFace model = good_hugging_face();
  model.config["vocab_size"] = 6;
  model.write(directory);
  check_refused(directory.path(), Code::kCorrupt, "[5, 8]; the configuration needs [6, 8]");
}

TEST_CASE("shards are found through the index") {
  const TemporaryDirectory directory;
  const TinyHuggingFace model = good_hugging_face();
  TinySafetensors first, second;
  nlohmann::json map;
  for (const auto& [name, entry] : model.weights.header.items()) {
    if (name == "__metadata__") continue;
    const bool is_first = map.size() % 2 == 0;
    map[name] = is_first ? "1.safetensors" : "2.safetensors";
    (is_first ? first : second).add(name, entry["shape"].get<std::vector<uint64_t>>());
  }
  directory.write("config.json", model.config.dump());
  directory.write("1.safetensors", first.bytes());
  directory.write("2.safetensors", second.bytes());
  directory.write("model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());

  const auto checkpoint = open_directory(directory);

  CHECK(checkpoint->description() == "safetensors, llama, F32, 2 files");
  for (const Weight weight : {Weight::kQuery, Weight::kKey, Weight::kDown}) {
    checkpoint->release(*checkpoint->find(weight, 0));
  }
}

TEST_CASE("a path that holds no checkpoint is refused with what to do") {
  const TemporaryDirectory directory;
  check_refused(directory.path() / "none", Code::kNotFound, "No such file");
  check_refused(directory.path(), Code::kNotFound, "no config.json");
  check_refused("/dev/null", Code::kIo, "not a regular file");

  directory.write("config.json", good_hugging_face().config.dump());
  check_refused(directory.path(), Code::kNotFound, "neither model.safetensors nor");
  check_refused(directory.path() / "config.json", Code::kCorrupt, "give the directory");
}

TEST_CASE("a broken or oversized config.json is refused") {
  const TemporaryDirectory directory;
  const std::string good = good_hugging_face().config.dump();
  const struct {
    std::string text;
    const char* words;
  } faults[] = {
      {good.substr(0, good.size() - 1), "config.json: parse JSON"},
      {"[]", "no JSON object"},
      {"\xff\xfe{\0", "parse JSON"},
      {"{\"rms_norm_eps\":1e400}", "1e400"},
      {"{\"a\":\"\x1b[2J\"}", "parse JSON"},
      {std::string(200, '['), "inside one another"},
      {std::string(limits::kConfigBytesMax + 1, ' '), "at most 1048576"},
  };
  for (const auto& fault : faults) {
    good_hugging_face().write(directory);
    directory.write("config.json", fault.text);
    check_refused(directory.path(), Code::kCorrupt, fault.words);
  }
  good_hugging_face().write(directory);
  directory.write("generation_config.json", "[1]");
  check_refused(directory.path(), Code::kCorrupt, "generation_config.json");
}

TEST_CASE("a byte order mark in front of config.json is skipped") {
  const TemporaryDirectory directory;
  good_hugging_face().write(directory);
  directory.write("config.json", "\xef\xbb\xbf" + good_hugging_face().config.dump());

  CHECK(open_checkpoint(directory.path()).has_value());
}

TEST_CASE("a config.json cut short anywhere is refused") {
  const TemporaryDirectory directory;
  good_hugging_face().write(directory);
  const std::string whole = good_hugging_face().config.dump();
  for (size_t size = 1; size < whole.size(); ++size) {
    directory.write("config.json", whole.substr(0, size));
    check_refused(directory.path(), Code::kCorrupt, "config.json");
  }
}

}  // namespace
}  // namespace ovenbird
