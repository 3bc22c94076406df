// Sampler against Hugging Face transformers: the same tokens are left by the same options, with the
// same probabilities to 1e-5. The file is made by tests/data/session/make_sampling_goldens.py.
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "logit_rows.h"
#include "session/sampler.h"

namespace ovenbird {
namespace {

struct Golden {
  std::string name;
  uint32_t vocabulary = 0;
  uint64_t row = 0;
  int coarse_bits = 0;
  SamplingOptions options;
  std::vector<int32_t> prompt;
  std::vector<int32_t> answer;
  std::vector<Sampler::Candidate> kept;
};

std::vector<int32_t> read_ids(std::istream& in) {
  size_t count = 0;
  in >> count;
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) in >> id;
  return ids;
}

void read_bias(std::istream& in, SamplingOptions& options) {
  size_t count = 0;
  in >> count;
  for (size_t i = 0; i < count; ++i) {
    int32_t id = 0;
    in >> id;
    in >> options.logit_bias[id];
  }
}

void read_field(std::istream& in, const std::string& key, Golden& golden) {
  SamplingOptions& options = golden.options;
  if (key == "vocabulary") in >> golden.vocabulary;
  if (key == "row") in >> golden.row;
  if (key == "coarse_bits") in >> golden.coarse_bits;
  if (key == "temperature") in >> options.temperature;
  if (key == "top_k") in >> options.top_k;
  if (key == "top_p") in >> options.top_p;
  if (key == "min_p") in >> options.min_p;
  if (key == "repetition") in >> options.repetition_penalty;
  if (key == "presence") in >> options.presence_penalty;
  if (key == "frequency") in >> options.frequency_penalty;
  if (key == "bias") read_bias(in, options);
  if (key == "prompt") golden.prompt = read_ids(in);
  if (key == "answer") golden.answer = read_ids(in);
  if (key == "kept") {
    size_t count = 0;
    in >> count;
    golden.kept.resize(count);
    for (Sampler::Candidate& kept : golden.kept) in >> kept.id >> kept.probability;
  }
}

std::vector<Golden> read_goldens() {
  std::ifstream in(OVENBIRD_TEST_DATA "/session/sampling_goldens.txt");
  in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');  // the versions
  std::vector<Golden> goldens;
  std::string key;
  while (in >> key) {
    if (key == "case") {
      in >> goldens.emplace_back().name;
    } else {
      read_field(in, key, goldens.back());
    }
  }
  return goldens;
}

TEST_CASE("every combination of options leaves what transformers leaves") {
  const std::vector<Golden> goldens = read_goldens();
  REQUIRE(goldens.size() >= 28);
  for (const Golden& golden : goldens) {
    CAPTURE(golden.name);
    const std::vector<float> logits =
        make_logit_row(golden.vocabulary, golden.row, golden.coarse_bits);
    TokenCounts history(golden.vocabulary);
    for (const int32_t id : golden.prompt) history.push(id);
    history.start_answer();
    for (const int32_t id : golden.answer) history.push(id);
    Sampler sampler(golden.options, golden.vocabulary);

    const auto distribution = sampler.distribution(logits, history);

    REQUIRE(distribution);
    REQUIRE(distribution->size() == golden.kept.size());
    for (size_t i = 0; i < golden.kept.size(); ++i) {
      CHECK((*distribution)[i].id == golden.kept[i].id);
      CHECK(std::abs((*distribution)[i].probability - golden.kept[i].probability) < 1e-5);
    }
  }
}

}  // namespace
}  // namespace ovenbird
