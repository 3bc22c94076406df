// The progress of a bake or a download as text: a bar that redraws itself on a terminal, a few
// lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace ovenbird {

class Progress {
 public:
  enum class Style { kBar, kLines };
  using Seconds = std::chrono::duration<double>;

  struct Words {
    std::string what;    // begins each line
    std::string at_end;  // what is done when all bytes are
  };

  Progress(uint64_t bytes_total, Style style, Words words)
      : bytes_total_(bytes_total),
        style_(style),
        words_(std::move(words)),
        shown_at_(style == Style::kBar ? -1 : 0) {}

  /// What is to be written now; most of the time nothing. `elapsed` counts from the beginning of
  /// the work and may not go back.
  std::string update(uint64_t bytes_done, Seconds elapsed);

  /// Takes the bar away, so that the next line begins at the left.
  std::string finish() const;

 private:
  std::string state(uint64_t bytes_done, Seconds elapsed) const;
  std::string bar(uint64_t bytes_done, Seconds elapsed);
  std::string line(uint64_t bytes_done, Seconds elapsed);
  uint64_t percent(uint64_t bytes_done) const;

  uint64_t bytes_total_;
  Style style_;
  Words words_;
  Seconds shown_at_;  // before the beginning: the bar is drawn at once, a line is not
  uint64_t shown_percent_ = 0;
};

}  // namespace ovenbird
