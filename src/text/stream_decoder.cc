// Streaming: whole characters go out, the cut tail waits for its rest.
#include "text/stream_decoder.h"

#include "text/utf8.h"

namespace ovenbird {

std::string StreamDecoder::feed(int32_t id) {
  if (special_ == SpecialTokens::kHidden && tokenizer_.is_special(id)) return {};
  std::string piece = tokenizer_.piece(id);
  if (drops_space_ && !piece.empty()) {
    if (piece[0] == ' ') piece.erase(0, 1);
    drops_space_ = false;
  }
  held_ += piece;
  return drain(Tail::kMayGrow);
}

std::string StreamDecoder::finish() { return drain(Tail::kIsOver); }

std::string StreamDecoder::drain(Tail tail) {
  std::string out;
  std::string_view rest = held_;
  while (!rest.empty()) {
    const Utf8Step step = utf8_step(rest);
    if (step.is_cut && tail == Tail::kMayGrow) break;
    out += step.is_valid ? rest.substr(0, step.bytes) : kReplacementCharacter;
    rest.remove_prefix(step.bytes);
  }
  held_.erase(0, held_.size() - rest.size());
  return out;
}

}  // namespace ovenbird
