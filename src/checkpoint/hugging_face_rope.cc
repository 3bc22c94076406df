// Rotary embedding as config.json describes it, in the old words and the new.
#include "checkpoint/hugging_face_rope.h"

#include <string>

#include "base/message_text.h"

namespace ovenbird {
namespace {

void check_rotated_part(JsonFacts& facts) {
  if (facts.number("partial_rotary_factor").value_or(1) != 1) {
    facts.refuse(Code::kUnsupported, "partial_rotary_factor other than 1 is not supported");
  }
}

void read_llama3(JsonFacts& scaling, uint32_t context, Rope& rope) {
  for (const char* key : {"factor", "low_freq_factor", "high_freq_factor"}) {
    if (!scaling.has(key)) {
      scaling.refuse(Code::kCorrupt, std::string("llama3 rope scaling without ") + key);
    }
  }
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = scaling.number("factor").value_or(1);
  rope.low_freq_factor = scaling.number("low_freq_factor").value_or(1);
  rope.high_freq_factor = scaling.number("high_freq_factor").value_or(4);
  rope.original_context = scaling.count("original_max_position_embeddings").value_or(context);
}

void read_linear(JsonFacts& scaling, Rope& rope) {
  if (!scaling.has("factor")) {
    scaling.refuse(Code::kCorrupt, "linear rope scaling without factor");
  }
  rope.scaling = RopeScaling::kLinear;
  rope.factor = scaling.number("factor").value_or(1);
}

void read_scaling(JsonFacts& scaling, uint32_t context, Rope& rope) {
  check_rotated_part(scaling);
  rope.theta = scaling.number("rope_theta").value_or(rope.theta);
  auto type = scaling.text("rope_type");
  if (!type) type = scaling.text("type");
  if (!type || *type == "default") return;
  if (*type == "linear") return read_linear(scaling, rope);
  if (*type == "llama3") return read_llama3(scaling, context, rope);
  scaling.refuse(Code::kUnsupported,
                 "rope scaling " + in_quotes(*type) + "; supported are default, linear and llama3");
}

}  // namespace

Rope hugging_face_rope(JsonFacts& facts, uint32_t context) {
  Rope rope;
  rope.theta = facts.number("rope_theta").value_or(rope.theta);
  check_rotated_part(facts);
  const nlohmann::json* scaling = facts.object("rope_scaling");
  if (!scaling || scaling->empty()) scaling = facts.object("rope_parameters");
  if (!scaling) return rope;
  JsonFacts inner(*scaling, "config.json: rope scaling");
  read_scaling(inner, context, rope);
  if (inner.fault()) facts.refuse(inner.fault()->code, inner.fault()->message);
  return rope;
}

}  // namespace ovenbird
