// Which of the two files names them, and which ids can be.
#include "checkpoint/special_tokens.h"

#include <algorithm>

namespace ovenbird {
namespace {

std::vector<int64_t> possible_ids(const std::vector<int64_t>& ids, uint32_t vocabulary) {
  std::vector<int64_t> out;
  for (const int64_t id : ids) {
    const bool is_new = std::find(out.begin(), out.end(), id) == out.end();
    if (id >= 0 && id < vocabulary && is_new) out.push_back(id);
  }
  return out;
}

}  // namespace

BosEosTokens read_special_tokens(JsonFacts& config, JsonFacts& generation, uint32_t vocabulary) {
  const auto ids = [&](const char* key) {
    return possible_ids((generation.has(key) ? generation : config).ids(key), vocabulary);
  };
  return {.bos_ids = ids("bos_token_id"), .eos_ids = ids("eos_token_id")};
}

}  // namespace ovenbird
