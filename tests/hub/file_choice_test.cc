// Which files of a repository are chosen, and the words when nothing can be. Method: listings as
// repositories have them.
#include "hub/file_choice.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace ovenbird {
namespace {

using Names = std::vector<std::string>;

const ModelName kModel{.id = "Org/Tiny", .revision = {}, .file = {}};

std::string refusal(const Names& names, const ModelName& model = kModel) {
  const auto choice = choose_files(names, model);
  REQUIRE(!choice);
  return choice.error().message;
}

TEST_CASE("one file of weights is taken before an index, safetensors before OpenVINO") {
  Names names{"config.json", "model.safetensors.index.json", "model-1.safetensors",
              "openvino_model.xml", "openvino_model.bin"};
  auto choice = choose_files(names, kModel);
  REQUIRE(choice);
  CHECK(choice->index == "model.safetensors.index.json");
  CHECK(choice->small == Names{"config.json", "model.safetensors.index.json"});
  CHECK(choice->weights.empty());

  names.push_back("model.safetensors");
  choice = choose_files(names, kModel);
  REQUIRE(choice);
  CHECK(choice->weights == Names{"model.safetensors"});
  CHECK(choice->index == "");
}

TEST_CASE("other formats are no weights") {
  for (const char* name : {"pytorch_model.bin", "consolidated.safetensors", "model.ckpt",
                           "onnx/model.onnx", "sub/model.safetensors", "tf_model.h5"}) {
    CAPTURE(name);
    CHECK(refusal({"config.json", name}).find("it has neither") != std::string::npos);
  }
  CHECK(refusal({"model.safetensors"}).find("config.json") != std::string::npos);
}

TEST_CASE("a repository of GGUFs says how to name one, in one line") {
  const std::string words = refusal({"README.md", "a-q4.gguf", "b-q8.gguf"});
  CHECK(words.find("as in Org/Tiny:a-q4.gguf; it has a-q4.gguf, b-q8.gguf") != std::string::npos);

  Names many;
  for (int i = 0; i < 30; ++i) many.push_back("m" + std::to_string(i) + ".gguf");
  CHECK(refusal(many).find(" and 18 more") != std::string::npos);
}

TEST_CASE("one part of a GGUF in several files is refused before it comes") {
  const Names names{"m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "whole.gguf",
                    "m-00001-of-00001.gguf"};
  ModelName model = kModel;
  model.file = "m-00001-of-00002.gguf";
  const std::string words = refusal(names, model);
  CHECK(words.find("one of several files") != std::string::npos);
  CHECK(words.find("it has whole.gguf, m-00001-of-00001.gguf") != std::string::npos);
  model.file = "m-00001-of-00001.gguf";
  CHECK(choose_files(names, model));
  model.file = "-of-2.gguf";
  CHECK(choose_files({"-of-2.gguf"}, model));
}

TEST_CASE("an index names each shard once, and only what is there") {
  const Names names{"model-1.safetensors", "model-2.safetensors"};
  const auto shards = shards_of(
      R"({"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors",
          "c": "model-2.safetensors"}})",
      names);
  REQUIRE(shards);
  CHECK(*shards == names);
  for (const char* index :
       {"", "[]", "{}", R"({"weight_map": 1})", R"({"weight_map": {}})",
        R"({"weight_map": {"a": 1}})", R"({"weight_map": {"a": "model-3.safetensors"}})"}) {
    CAPTURE(index);
    const auto refused = shards_of(index, names);
    REQUIRE(!refused);
    CHECK(refused.error().code == Code::kCorrupt);
  }
}

}  // namespace
}  // namespace ovenbird
