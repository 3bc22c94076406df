// The newest W tokens, again and again.
#include "session/window_plan.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace ovenbird {

WindowPlan::WindowPlan(std::shared_ptr<SharedGraphs> graphs, const Manifest& manifest, size_t graph,
                       std::span<float> logits)
    : graph_(std::move(graphs), manifest, graph, logits),
      tokens_max_(std::min(graph_.info().width, manifest.model.context)) {}

uint32_t WindowPlan::chunk(uint32_t tokens, LogitRows wanted) const {
  if (wanted == LogitRows::kLast) return tokens;  // what does not fit is truncated
  // Each row must see the window that ends at it. As long as nothing slides, one window does for
  // all rows; after that every row has its own.
  const uint64_t room = tokens_.size() < tokens_max_ ? tokens_max_ - tokens_.size() : 1;
  return static_cast<uint32_t>(std::min<uint64_t>(tokens, room));
}

Result<Logits> WindowPlan::step(std::span<const int32_t> tokens, LogitRows wanted) {
  OVENBIRD_CHECK(!tokens.empty() && tokens.size() <= chunk(uint32_t(tokens.size()), wanted));
  stepped_.clear();
  const size_t from_new = std::min<size_t>(tokens.size(), tokens_max_);
  const size_t from_old = std::min(tokens_.size(), tokens_max_ - from_new);
  window_.assign(tokens_.end() - static_cast<ptrdiff_t>(from_old), tokens_.end());
  window_.insert(window_.end(), tokens.end() - static_cast<ptrdiff_t>(from_new), tokens.end());
  Result<Logits> logits = graph_.run({.tokens = window_}, {}, 0);
  if (!logits) return logits;
  stepped_.assign(tokens.begin(), tokens.end());
  // Only the new tokens' rows are asked for.
  const uint32_t rows = wanted == LogitRows::kLast ? 1 : static_cast<uint32_t>(from_new);
  return Logits{.values = logits->values.last(size_t{rows} * logits->vocabulary),
                .rows = rows,
                .vocabulary = logits->vocabulary};
}

void WindowPlan::commit(uint32_t count) {
  OVENBIRD_CHECK(!stepped_.empty() && count <= stepped_.size());
  tokens_.insert(tokens_.end(), stepped_.begin(), stepped_.begin() + count);
  stepped_.clear();
}

uint64_t WindowPlan::keep(uint64_t count) {
  OVENBIRD_CHECK(count <= tokens_.size());
  stepped_.clear();
  tokens_.resize(count);
  return count;
}

Status WindowPlan::restore(std::span<const int32_t> tokens) {
  stepped_.clear();
  tokens_.assign(tokens.begin(), tokens.end());
  return ok();
}

uint64_t WindowPlan::take_prefix(const Plan& from, uint64_t count) {
  OVENBIRD_CHECK(&from != this && tokens() == 0);
  stepped_.clear();
  const auto* other = dynamic_cast<const WindowPlan*>(&from);
  if (!other) return 0;
  const auto copied = static_cast<ptrdiff_t>(std::min<uint64_t>(count, other->tokens_.size()));
  tokens_.assign(other->tokens_.begin(), other->tokens_.begin() + copied);
  return tokens_.size();
}

}  // namespace ovenbird
