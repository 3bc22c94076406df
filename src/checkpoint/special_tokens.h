// The tokens that begin and end what a model says, from config.json and generation_config.json.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/json_facts.h"

namespace ovenbird {

struct BosEosTokens {
  std::vector<int64_t> bos_ids;
  std::vector<int64_t> eos_ids;  // any of them ends an answer
};

/// What `generation` names wins. Ids outside [0, vocabulary) are left out: -1 stands for "none" in
/// old files. Faults are remembered by the readers.
BosEosTokens read_special_tokens(JsonFacts& config, JsonFacts& generation, uint32_t vocabulary);

}  // namespace ovenbird
