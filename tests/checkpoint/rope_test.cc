// rope_frequencies() against transformers: tests/data/checkpoint/make_goldens.py. Ours are computed
// in f64, the reference's in f32.
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include <doctest/doctest.h>

#include "base/json.h"
#include "base/mapped_file.h"
#include "checkpoint/family.h"
#include "checkpoint/hugging_face_rope.h"
#include "checkpoint/json_facts.h"
#include "checkpoint/model_config.h"

namespace ovenbird {
namespace {

nlohmann::json read_cases() {
  const auto file = MappedFile::open(OVENBIRD_TEST_DATA "/checkpoint/rope.json");
  REQUIRE(file.has_value());
  const auto json =
      parse_json({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()});
  REQUIRE(json.has_value());
  return *json;
}

void check_near(const std::vector<double>& seen, const std::vector<double>& wanted) {
  REQUIRE(seen.size() == wanted.size());
  for (size_t pair = 0; pair < seen.size(); ++pair) {
    CAPTURE(pair);
    CHECK(std::abs(seen[pair] - wanted[pair]) <= 1e-6 * wanted[pair]);
  }
}

TEST_CASE("frequencies equal transformers', in the old words and the new") {
  for (const nlohmann::json& golden : read_cases()) {
    CAPTURE(golden["scaling"].dump());
    nlohmann::json old_words = {{"rope_theta", golden["theta"]},
                                {"rope_scaling", golden["scaling"]}};
    nlohmann::json new_words = {{"rope_parameters", golden["scaling"]}};
    new_words["rope_parameters"]["rope_theta"] = golden["theta"];
    nlohmann::json oldest_words = old_words;
    oldest_words["rope_scaling"]["type"] = golden["scaling"]["rope_type"];
    oldest_words["rope_scaling"].erase("rope_type");

    for (const nlohmann::json& words : {old_words, new_words, oldest_words}) {
      JsonFacts facts(words, "config.json");
      ModelConfig config;
      config.head_dim = golden["head_dim"].get<uint32_t>();
      config.context = 131072;
      read_ropes(facts, family_of(Architecture::kLlama), config);
      REQUIRE(!facts.fault().has_value());
      check_near(rope_frequencies(rope_for_context(config.rope, golden.value("tokens", 1)),
                                  config.rotary_dim),
                 golden["frequencies"].get<std::vector<double>>());
      CHECK(std::abs(config.rope.attention_factor - golden.value("attention_factor", 1.0)) < 1e-6);
    }
  }
}

TEST_CASE("a missing original context is the model's, as in transformers") {
  const nlohmann::json words = {
      {"rope_scaling",
       {{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 1}, {"high_freq_factor", 4}}}};
  JsonFacts facts(words, "config.json");

  ModelConfig config;
  config.context = 4096;
  read_ropes(facts, family_of(Architecture::kLlama), config);
  CHECK(config.rope.original_context == 4096);
}

TEST_CASE("ready divisors divide") {
  Rope rope;
  rope.scaling = RopeScaling::kLlama3;
  rope.frequency_divisors = {1.0f, 8.0f};

  check_near(rope_frequencies(rope, 4), {1.0, 0.01 / 8});
}

}  // namespace
}  // namespace ovenbird
