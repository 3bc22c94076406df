// The stages that tokenizer.json names one by one: normalizers, pre-tokenizers, decoder, and what
// is put around a text.
#pragma once

#include "text/json_node.h"
#include "text/tokenizer_spec.h"

namespace ovenbird {

/// Each appends to `spec`; what it cannot do it reports to the node's Fault.
void read_normalizer(const JsonNode& normalizer, TokenizerSpec& spec);
void read_post_processor(const JsonNode& processor, TokenizerSpec& spec);

/// Sets `spec.form` too: byte-level is what has a ByteLevel step.
void read_pre_tokenizer(const JsonNode& pre_tokenizer, TokenizerSpec& spec);

struct DecoderFacts {
  bool decodes_byte_tokens = false;  // "<0x0A>" is shown as that byte
};
DecoderFacts read_decoder(const JsonNode& decoder, TokenizerSpec& spec);

/// GPT-2's way to cut a text, which ByteLevel uses by itself.
extern const char* const kGpt2Pattern;

}  // namespace ovenbird
