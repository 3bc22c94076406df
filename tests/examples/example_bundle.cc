// Writes a bundle for the examples: no weights, but a tokenizer of some sixty words and a chat
// template, so that what a fake worker says can be read. The only argument: where.
#include <iostream>
#include <string>
#include <vector>

#include "bundle/bundle_writer.h"
#include "text/tokenizer_binary.h"

namespace ovenbird {
namespace {

constexpr int32_t kEnd = 0;
constexpr int32_t kUnknown = 3;

/// Special tokens, what stands for all other words, then words by their number.
const std::vector<std::string> kTokens = {
    "<|end|>", "<|user|>", "<|bird|>", " something", " a",       " again",  " and",    " apple",
    " at",     " baker",   " bakes",   " behind",    " bird",    " bread",  " bright", " by",
    " cold",   " dark",    " door",    " early",     " evening", " fire",   " flies",  " from",
    " garden", " grey",    " home",    " hot",       " house",   " in",     " is",     " late",
    " light",  " loaf",    " long",    " morning",   " near",    " never",  " of",     " often",
    " old",    " on",      " oven",    " over",      " quiet",   " rain",   " rises",  " river",
    " salt",   " says",    " she",     " sings",     " sleeps",  " slowly", " soft",   " stone",
    " sweet",  " the",     " to",      " under",     " waits",   " warm",   " wind",   " who"};

TokenizerSpec words() {
  TokenizerSpec spec;
  for (size_t id = 0; id < kTokens.size(); ++id) {
    const bool is_special = kTokens[id].starts_with("<");
    spec.tokens.push_back(kTokens[id]);
    spec.flags.push_back(is_special ? kTokenSpecial : kTokenInModel);
    if (!is_special) continue;
    spec.added.push_back({.id = static_cast<int32_t>(id), .text = kTokens[id], .is_special = true});
  }
  // A word is a token as a whole, or the unknown one.
  spec.pre_tokenizers = {{.pattern = " ?[^ ]+"}};
  spec.ignores_merges = true;
  spec.unknown_id = kUnknown;
  spec.fuses_unknown = true;
  spec.eos_id = kEnd;
  spec.end_ids = {kEnd};
  spec.chat_template =
      "{% for message in messages %}{{ '<|' + message.role + '|> ' + message.content + '<|end|>' }}"
      "{% endfor %}{% if add_generation_prompt %}<|bird|>{% endif %}";
  return spec;
}

/// Graphs that nothing reads, for a cache of 512 rows.
Manifest facts() {
  Manifest manifest{.baked_by = "ovenbird, for examples", .target = Target::kCpu};
  manifest.model = {.architecture = "llama",
                    .description = "words by chance",
                    .layers = 2,
                    .hidden = 32,
                    .heads = 4,
                    .kv_heads = 2,
                    .head_dim = 8,
                    .vocabulary = static_cast<uint32_t>(kTokens.size()),
                    .context = 512,
                    .rope_frequencies = {1.0, 0.1, 0.01, 0.001},
                    .eos_ids = {kEnd}};
  manifest.graphs = {
      {.file = kWindowGraphName, .plan = "window", .width = 128},
      {.file = "step_w1_p512.xml", .plan = "cached", .width = 1, .past = 512},
      {.file = "step_w8_p512.xml", .plan = "cached", .width = 8, .past = 512},
      {.file = "step_w128_p512.xml", .plan = "cached", .width = 128, .past = 512, .logit_rows = 1}};
  return manifest;
}

Status write(const std::string& where) {
  Result<BundleWriter> writer = BundleWriter::create(where, true);
  if (!writer) return Failure{writer.error()};
  std::vector<std::pair<std::string, std::string>> files = {
      {kWeightsName, ""}, {kTokenizerName, serialize_tokenizer(words())}};
  for (const GraphInfo& graph : facts().graphs) files.emplace_back(graph.file, "<net/>");
  for (const auto& [name, content] : files) {
    if (const Status added = writer->add_whole(name, content); !added) return added;
  }
  return writer->commit(facts());
}

}  // namespace
}  // namespace ovenbird

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: example_bundle DIRECTORY\n", 2;
  if (const ovenbird::Status written = ovenbird::write(argv[1]); !written) {
    std::cerr << written.error().message << "\n";
    return 1;
  }
}
