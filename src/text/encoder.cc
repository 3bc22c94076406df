// Encoding, in the order in which Hugging Face's tokenizers goes through a text.
#include "text/encoder.h"

#include <utility>

#include "base/message_text.h"
#include "text/normalizer.h"
#include "text/utf8.h"

namespace ovenbird {
namespace {

/// Gathers matches and what lies between them into pieces, as the behavior says.
class RunJoiner {
 public:
  struct Run {
    size_t first = 0, end = 0;
    bool is_match = false;
  };

  explicit RunJoiner(SplitBehavior behavior) : behavior_(behavior) {}

  /// Takes the next run; gives the piece before it if that is complete.
  std::optional<Run> add(Run run) {
    if (joins(run)) {
      held_->end = run.end;
      held_->is_match = run.is_match;
      return std::nullopt;
    }
    std::optional<Run> complete = std::exchange(held_, run);
    if (complete && is_dropped(*complete)) return std::nullopt;
    return complete;
  }

  std::optional<Run> finish() {
    if (held_ && is_dropped(*held_)) held_.reset();
    return std::exchange(held_, std::nullopt);
  }

 private:
  bool is_dropped(const Run& run) const {
    return behavior_ == SplitBehavior::kRemoved && run.is_match;
  }

  bool joins(const Run& run) const {
    if (!held_) return false;
    switch (behavior_) {
      case SplitBehavior::kMergedWithPrevious:
        return run.is_match && !held_->is_match;
      case SplitBehavior::kMergedWithNext:
        return !run.is_match && held_->is_match;
      case SplitBehavior::kContiguous:
        return run.is_match == held_->is_match;
      case SplitBehavior::kIsolated:
      case SplitBehavior::kRemoved:
        return false;
    }
    return false;
  }

  SplitBehavior behavior_;
  std::optional<Run> held_;
};

}  // namespace

Result<Encoder> Encoder::create(const TokenizerSpec& spec) {
  Encoder encoder(spec);
  std::string buffer, spare;
  for (const AddedToken& token : spec.added) {
    if (!token.is_normalized) {
      encoder.raw_tokens_.insert(token.text, token);
      continue;
    }
    const Result<std::string_view> text = normalize(spec.normalizers, token.text, buffer, spare);
    if (!text) return fail_in("added token " + in_quotes(token.text), text.error());
    encoder.normalized_tokens_.insert(*text, token);
  }
  for (const PreTokenizerStep& step : spec.pre_tokenizers) {
    encoder.patterns_.emplace_back();
    if (step.kind != PreTokenizerStep::Kind::kSplit) continue;
    Result<Pattern> pattern = Pattern::compile(step.pattern);
    if (!pattern) return Failure{pattern.error()};
    encoder.patterns_.back() = std::move(*pattern);
  }
  return encoder;
}

Status Encoder::encode(std::string_view text, std::span<const TextRange> user_text,
                       EncodeScratch& scratch, std::vector<int32_t>& ids) const {
  scratch.matches.start(text.size());
  const Work work{.scratch = scratch, .ids = ids, .user_text = user_text};
  AddedTokenCursor parts(raw_tokens_, text, user_text);
  while (const std::optional<TextPart> part = parts.next()) {
    if (part->token) {
      ids.push_back(*part->token);
    } else if (Status done = encode_raw(*part, work); !done) {
      return done;
    }
  }
  return ok();
}

Status Encoder::encode_raw(const TextPart& raw, const Work& work) const {
  const Result<std::string_view> text =
      normalize(spec_.normalizers, raw.text, work.scratch.normalized, work.scratch.spare);
  if (!text) return Failure{text.error()};
  // The ranges are those of the raw text: here a special token is one only where no user wrote.
  const TextRange all{.first = 0, .end = text->size()};
  const std::span<const TextRange> user_text =
      work.user_text.empty() ? work.user_text : std::span(&all, 1);
  AddedTokenCursor parts(normalized_tokens_, *text, user_text);
  while (const std::optional<TextPart> part = parts.next()) {
    if (part->token) {
      work.ids.push_back(*part->token);
      continue;
    }
    const bool is_at_start = raw.is_at_start && part->is_at_start;
    if (Status done = cut(0, part->text, is_at_start, work); !done) return done;
  }
  return ok();
}

Status Encoder::cut(size_t step, std::string_view piece, bool is_at_start, const Work& work) const {
  if (piece.empty()) return ok();
  if (step == spec_.pre_tokenizers.size()) {
    bpe_.encode(piece, work.scratch.bpe, work.ids);
    return ok();
  }
  switch (spec_.pre_tokenizers[step].kind) {
    case PreTokenizerStep::Kind::kSplit:
      return cut_by_pattern(step, piece, is_at_start, work);
    case PreTokenizerStep::Kind::kMetaspace:
      return cut_at_spaces(step, piece, is_at_start, work);
    case PreTokenizerStep::Kind::kPrefixSpace: {
      if (piece[0] == ' ') return cut(step + 1, piece, is_at_start, work);
      std::string& prefixed = work.scratch.pieces[step];
      prefixed.assign(" ").append(piece);
      return cut(step + 1, prefixed, is_at_start, work);
    }
  }
  return ok();
}

Status Encoder::cut_by_pattern(size_t step, std::string_view piece, bool is_at_start,
                               const Work& work) const {
  const PreTokenizerStep& rule = spec_.pre_tokenizers[step];
  RunJoiner joiner(rule.behavior);
  const auto pass_on = [&](const std::optional<RunJoiner::Run>& run) {
    if (!run) return ok();
    return cut(step + 1, piece.substr(run->first, run->end - run->first),
               is_at_start && run->first == 0, work);
  };
  const auto add = [&](size_t first, size_t end, bool is_match) {
    if (first == end) return ok();
    return pass_on(
        joiner.add({.first = first, .end = end, .is_match = is_match != rule.is_inverted}));
  };
  size_t done = 0;
  while (done < piece.size()) {
    const Result<std::optional<Match>> match =
        patterns_[step]->find(piece, done, work.scratch.matches);
    if (!match) return Failure{match.error()};
    if (!*match) break;
    if (Status between = add(done, (*match)->first, false); !between) return between;
    if (Status matched = add((*match)->first, (*match)->end, true); !matched) return matched;
    done = (*match)->end;
  }
  if (Status rest = add(done, piece.size(), false); !rest) return rest;
  return pass_on(joiner.finish());
}

Status Encoder::cut_at_spaces(size_t step, std::string_view piece, bool is_at_start,
                              const Work& work) const {
  const PreTokenizerStep& rule = spec_.pre_tokenizers[step];
  std::string& spaced = work.scratch.pieces[step];
  spaced.clear();
  const bool may_prepend = rule.prepend == MetaspacePrepend::kAlways ||
                           (rule.prepend == MetaspacePrepend::kFirst && is_at_start);
  const bool has_space = piece[0] == ' ' || piece.starts_with(kMetaspace);
  if (may_prepend && !has_space) spaced += kMetaspace;
  for (const char c : piece) {
    if (c == ' ') {
      spaced += kMetaspace;
    } else {
      spaced += c;
    }
  }
  if (!rule.cuts_words) return cut(step + 1, spaced, is_at_start, work);
  const std::string_view whole = spaced;
  size_t first = 0;
  while (first < whole.size()) {
    const size_t end = std::min(whole.find(kMetaspace, first + 1), whole.size());
    const Status done =
        cut(step + 1, whole.substr(first, end - first), is_at_start && first == 0, work);
    if (!done) return done;
    first = end;
  }
  return ok();
}

}  // namespace ovenbird
