// Makes a parsed template safe to run: what it may cost is limited, what users wrote stays marked.
#pragma once

#include <jinja/runtime.h>

#include <chrono>
#include <cstddef>

namespace ovenbird {

/// What one rendering has used up. While it lives, it watches the guarded templates that run on its
/// thread, whose stack must be limits::kTemplateStackBytes large.
class TemplateBudget {
 public:
  TemplateBudget();
  ~TemplateBudget();
  TemplateBudget(const TemplateBudget&) = delete;
  TemplateBudget& operator=(const TemplateBudget&) = delete;

  /// Thrown where a limit is hit. Not a std::exception: the engine's own handlers let it pass.
  struct Exceeded {
    const char* what;
  };

  /// One round of a loop or one call of a macro.
  void take_step();

 private:
  size_t steps_ = 0;
  std::chrono::steady_clock::time_point deadline_;
  const char* stack_begin_;
};

/// Rewrites a parsed template in place:
/// - loops, macros and call blocks count their steps;
/// - `text * number` and what is put into lists and namespaces is limited in size and depth;
/// - functions and filters that lose the marks of user text (tojson, join, ...) mark all they give,
///   if anything they got was marked.
void guard(jinja::program& program);

/// `range` with a limit, and `strftime_now` for the given time; to be put into a context.
void set_guarded_functions(jinja::context& context, std::time_t now);

}  // namespace ovenbird
