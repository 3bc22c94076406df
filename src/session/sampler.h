// Chooses the next token from a row of logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/sampling_options.h"
#include "ovenbird/result.hpp"
#include "session/token_counts.h"

namespace ovenbird {

/// Turns logits into a token, in the order of Hugging Face transformers:
///
///   1. logit_bias is added
///   2. repetition penalty: the logit of what stands in the history is divided by it if positive,
///      multiplied by it if negative
///   3. presence and frequency penalty, as OpenAI defines them: what stands c > 0 times in the
///      answer loses presence + c * frequency. (transformers has no such step; this is where it
///      puts a processor that a user adds.)
///   4. temperature 0: the best token, the lowest id among equals; nothing below applies.
///      Otherwise the logits are divided by it
///   5. top_k: what is worse than the k-th best falls out; equals of the k-th stay
///   6. top_p: of the rest, the best stay until together they have p of the rest's probability;
///      among equals the lower id is the better one
///   7. min_p: of the rest, what has less than min_p of the best one's probability falls out
///   8. one is drawn, by uniform_at(seed, position)
///
/// So the choice is a function of (logits, history, options, position), with no state: a session
/// that is taken up again, or a draft that is verified, draws the same.
///
/// Memory: 32 bytes for each entry of the vocabulary. Not thread-safe: one session, one sampler.
class Sampler {
 public:
  /// `options` must have passed validate(vocabulary_tokens). All memory is taken here.
  Sampler(SamplingOptions options, uint32_t vocabulary_tokens);

  /// The token for `position`. `logits` is [vocabulary] and stays as it is; -inf forbids a token.
  /// Allocates nothing.
  ///
  /// Errors: kBadOutput when the row holds NaN or +inf, or forbids every token: nothing that a
  /// sound graph puts out, so the device that computed it should not be trusted.
  Result<int32_t> sample(std::span<const float> logits, const TokenCounts& history,
                         uint64_t position);

  struct Candidate {
    int32_t id;
    double probability;
  };

  /// What sample() would draw from: ids ascending, probabilities above 0, their sum 1. Valid until
  /// the next call. Allocates when first called. Errors as sample().
  Result<std::span<const Candidate>> distribution(std::span<const float> logits,
                                                  const TokenCounts& history);

 private:
  struct Kept {
    float score;   // logit over temperature
    float weight;  // e^(score - best score): probability but for a common factor
    int32_t id;
  };

  Status score(std::span<const float> logits, const TokenCounts& history);
  void apply_penalties(const TokenCounts& history);
  void choose_kept();
  double keep_top_k(size_t count);
  void keep_top_p(double wanted_weight);
  double top_p_floor(double wanted_weight) const;
  void keep_heavier_than(double least_weight);
  double weigh_all();
  int32_t best_id() const;
  int32_t draw(double uniform) const;
  int32_t draw_from_all(double uniform) const;

  SamplingOptions options_;
  uint32_t vocabulary_tokens_;

  // The row, padded to whole blocks with -inf.
  std::vector<float> scores_;
  std::vector<float> weights_;
  std::vector<float> block_best_;  // the best score of each block
  float best_score_ = 0;

  bool all_kept_ = false;  // no filter at work: weights_ is the distribution, kept_ is empty
  std::vector<double> block_weight_;
  std::vector<Kept> kept_;   // what the filters left, ids ascending
  std::vector<Kept> order_;  // scratch of the partial sorts
  std::vector<float> block_order_;
  std::vector<Candidate> candidates_;
};

}  // namespace ovenbird
