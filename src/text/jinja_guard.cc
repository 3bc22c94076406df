// The guards: subclasses of the engine's own nodes, so that it still recognizes them.
#include "text/jinja_guard.h"

#include <array>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "text/jinja_nodes.h"
#include "text/jinja_values.h"

namespace ovenbird {
namespace {

using jinja::context;
using jinja::statement_ptr;
using jinja::value;

thread_local TemplateBudget* budget_of_thread = nullptr;

// Macros that call each other: a call takes about 1 kB. The rest of the stack is for what is deep
// without a step: long expressions, and values inside one another. AddressSanitizer takes an
// exception from more than 64 MiB of stack for an error.
constexpr size_t kStackUsedMax = 32u << 20;
static_assert(kStackUsedMax < limits::kTemplateStackBytes / 2);

/// Stands first in the body of each loop and macro.
struct StepGuard : jinja::statement {
  std::string type() const override { return "StepGuard"; }
  value execute_impl(context&) const override {
    if (budget_of_thread != nullptr) budget_of_thread->take_step();
    return jinja::mk_val<jinja::value_undefined>();
  }
};

/// Text that is written out from a value may be this long; it exists more than once at a time.
constexpr size_t kValueBytesMax = limits::kTemplateMemoryBytesMax / 4;

void check_extent(const value& checked) {
  const Extent extent = extent_of(checked, limits::kTemplateValueDepthMax);
  if (extent.depth > limits::kTemplateValueDepthMax) {
    throw TemplateBudget::Exceeded{"lists and objects are too deep inside one another"};
  }
  if (extent.bytes > kValueBytesMax) throw TemplateBudget::Exceeded{"a value is too large"};
}

/// The same for a list or object that has just been changed. One that contains itself would never
/// be freed, so it is emptied before the error goes up.
void check_changed(const value& changed) {
  try {
    check_extent(changed);
  } catch (const TemplateBudget::Exceeded&) {
    changed->val_arr.clear();
    changed->val_obj.clear();
    if (auto* object = dynamic_cast<jinja::value_object_t*>(changed.get())) {
      object->unordered.clear();
    }
    throw;
  }
}

/// An operand whose value is looked at before it is used.
struct Checked : jinja::expression {
  explicit Checked(statement_ptr node) : node_(std::move(node)) {}
  value execute_impl(context& scope) const override {
    value result = node_->execute(scope);
    check_extent(result);
    return result;
  }
  statement_ptr node_;
};

/// An expression whose value is known.
struct Held : jinja::expression {
  explicit Held(value held) : held_(std::move(held)) {}
  value execute_impl(context&) const override { return held_; }
  value held_;
};

/// text * number
struct GuardedProduct : jinja::binary_expression {
  using binary_expression::binary_expression;
  value execute_impl(context& scope) const override {
    value factors[] = {left->execute(scope), right->execute(scope)};
    for (const value& factor : factors) {
      const value& other = &factor == &factors[0] ? factors[1] : factors[0];
      if (jinja::is_val<jinja::value_string>(factor) && jinja::is_val<jinja::value_int>(other) &&
          other->as_int() > static_cast<int64_t>(limits::kTemplateStepsMax)) {
        throw TemplateBudget::Exceeded{"a text is repeated too often"};
      }
    }
    const jinja::binary_expression product(op, std::make_unique<Held>(factors[0]),
                                           std::make_unique<Held>(factors[1]));
    return product.execute_impl(scope);
  }
};

/// {% set x = ... %}, {% set x.y = ... %}: deep or circular values would exhaust the stack later.
struct GuardedSet : jinja::set_statement {
  using set_statement::set_statement;
  value execute_impl(context& scope) const override {
    const value done = set_statement::execute_impl(scope);
    if (const auto* name = jinja::cast_stmt<jinja::identifier>(assignee)) {
      check_extent(scope.get_val(name->val));
    } else if (const auto* member = jinja::cast_stmt<jinja::member_expression>(assignee)) {
      check_changed(member->object->execute(scope));
    } else if (const auto* tuple = jinja::cast_stmt<jinja::tuple_literal>(assignee)) {
      for (const statement_ptr& part : tuple->val) {
        const auto* part_name = jinja::cast_stmt<jinja::identifier>(part);
        if (part_name != nullptr) check_extent(scope.get_val(part_name->val));
      }
    }
    return done;
  }
};

/// f(x), text.f(x), list.f(x)
struct GuardedCall : jinja::call_expression {
  using call_expression::call_expression;
  value execute_impl(context& scope) const override {
    jinja::func_args arguments(scope);
    bool is_marked = false;
    for (const statement_ptr& argument : args) {
      arguments.push_back(argument->execute(scope));
      check_extent(arguments.get_args().back());
      is_marked = is_marked || has_user_text(arguments.get_args().back());
    }
    value function = callee->execute(scope);
    const auto* callable = jinja::cast_val<jinja::value_func>(function);
    if (callable == nullptr) {
      throw std::runtime_error("Callee is not a function: got " + function->type());
    }
    value result = callable->invoke(arguments);
    if (callable->arg0 != nullptr) check_changed(callable->arg0);  // list.append(list)
    // A macro's own text stays the template's: the engine marks what it takes from arguments.
    const bool is_builtin = callable->arg0 != nullptr || callable->name == "tojson";
    if (is_builtin && (is_marked || (callable->arg0 && has_user_text(callable->arg0)))) {
      mark_if_unmarked(result);
    }
    return result;
  }
};

/// x | f, x | f(y)
struct GuardedFilter : jinja::filter_expression {
  using filter_expression::filter_expression;
  value execute_impl(context& scope) const override {
    const value input = operand->execute(scope);
    check_extent(input);
    bool is_marked = has_user_text(input);
    jinja::statements arguments;
    statement_ptr applied;
    if (const auto* call = jinja::cast_stmt<jinja::call_expression>(filter)) {
      for (const statement_ptr& argument : call->args) {
        arguments.push_back(std::make_unique<Held>(argument->execute(scope)));
        const value& held = static_cast<Held&>(*arguments.back()).held_;
        check_extent(held);
        is_marked = is_marked || has_user_text(held);
      }
      const auto* name = jinja::cast_stmt<jinja::identifier>(call->callee);
      if (name == nullptr) throw std::runtime_error("Filter callee must be an identifier");
      applied = std::make_unique<jinja::call_expression>(
          std::make_unique<jinja::identifier>(name->val), std::move(arguments));
    } else if (const auto* name = jinja::cast_stmt<jinja::identifier>(filter)) {
      applied = std::make_unique<jinja::identifier>(name->val);
    } else {
      throw std::runtime_error("Invalid filter expression");
    }
    const jinja::filter_expression filtered(std::make_unique<Held>(input), std::move(applied));
    value result = filtered.execute_impl(scope);
    if (is_marked) mark_if_unmarked(result);
    return result;
  }
};

template <typename Guarded, typename... Parts>
void replace(statement_ptr& node, Parts&&... parts) {
  const size_t position = node->pos;
  node = std::make_unique<Guarded>(std::forward<Parts>(parts)...);
  node->pos = position;
}

void check_operand(statement_ptr& operand) {
  const size_t position = operand->pos;
  operand = std::make_unique<Checked>(std::move(operand));
  operand->pos = position;
}

void count_steps_of(jinja::statements& body) {
  auto step = std::make_unique<StepGuard>();
  step->pos = 0;
  body.insert(body.begin(), std::move(step));
}

void guard_node(statement_ptr& node) {
  for_each_child(*node, guard_node);
  jinja::statement* const raw = node.get();
  if (auto* loop = dynamic_cast<jinja::for_statement*>(raw)) {
    count_steps_of(loop->body);
  } else if (auto* macro = dynamic_cast<jinja::macro_statement*>(raw)) {
    count_steps_of(macro->body);
  } else if (auto* block = dynamic_cast<jinja::call_statement*>(raw)) {
    count_steps_of(block->body);
  } else if (auto* set = dynamic_cast<jinja::set_statement*>(raw)) {
    replace<GuardedSet>(node, std::move(set->assignee), std::move(set->val), std::move(set->body));
  } else if (auto* binary = dynamic_cast<jinja::binary_expression*>(raw)) {
    check_operand(binary->left);
    check_operand(binary->right);
    if (binary->op.value != "*") return;
    replace<GuardedProduct>(node, binary->op, std::move(binary->left), std::move(binary->right));
  } else if (auto* call = dynamic_cast<jinja::call_expression*>(raw)) {
    replace<GuardedCall>(node, std::move(call->callee), std::move(call->args));
  } else if (auto* test = dynamic_cast<jinja::test_expression*>(raw)) {
    check_operand(test->operand);
    if (auto* arguments = dynamic_cast<jinja::call_expression*>(test->test.get())) {
      for (statement_ptr& argument : arguments->args) check_operand(argument);
    }
  } else if (auto* filter = dynamic_cast<jinja::filter_expression*>(raw)) {
    replace<GuardedFilter>(node, std::move(filter->operand), std::move(filter->filter));
  }
}

value limited_range(const jinja::func_args& args) {
  args.ensure_count(1, 3);
  int64_t bounds[] = {0, 0, 1};  // start, stop, step
  for (size_t i = 0; i < args.count(); ++i) {
    const value bound = args.get_pos(i);
    if (!jinja::is_val<jinja::value_int>(bound)) {
      throw std::runtime_error("range() takes integers");
    }
    bounds[args.count() == 1 ? 1 : i] = bound->as_int();
  }
  const auto [start, stop, step] = bounds;
  if (step == 0) throw std::runtime_error("range() step must not be zero");
  auto numbers = jinja::mk_val<jinja::value_array>();
  int64_t at = start;
  while (step > 0 ? at < stop : at > stop) {
    if (numbers->val_arr.size() == limits::kTemplateStepsMax) {
      throw TemplateBudget::Exceeded{"range() is too long"};
    }
    numbers->push_back(jinja::mk_val<jinja::value_int>(at));
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return numbers;
}

value format_time(const jinja::func_args& args, std::time_t now) {
  args.ensure_vals<jinja::value_string>();
  const std::string format = args.get_pos(0)->as_string().str();
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 256> text{};
  const size_t bytes = std::strftime(text.data(), text.size(), format.c_str(), &local);
  return jinja::mk_val<jinja::value_string>(std::string(text.data(), bytes));
}

}  // namespace

TemplateBudget::TemplateBudget()
    : deadline_(std::chrono::steady_clock::now() + limits::kTemplateTimeMax),
      stack_begin_(static_cast<const char*>(__builtin_frame_address(0))) {
  budget_of_thread = this;
}

TemplateBudget::~TemplateBudget() { budget_of_thread = nullptr; }

void TemplateBudget::take_step() {
  if (++steps_ > limits::kTemplateStepsMax) throw Exceeded{"too many rounds of loops and calls"};
  if (std::chrono::steady_clock::now() > deadline_) throw Exceeded{"it takes too long"};
  const auto* here = static_cast<const char*>(__builtin_frame_address(0));
  if (static_cast<size_t>(stack_begin_ - here) > kStackUsedMax) {
    throw Exceeded{"macros call each other too deeply"};
  }
}

void guard(jinja::program& program) {
  for (statement_ptr& node : program.body) guard_node(node);
}

void set_guarded_functions(jinja::context& scope, std::time_t now) {
  scope.set_val("range", jinja::mk_val<jinja::value_func>("range", limited_range));
  scope.set_val("strftime_now", jinja::mk_val<jinja::value_func>(
                                    "strftime_now", [now](const jinja::func_args& args) {
                                      return format_time(args, now);
                                    }));
}

}  // namespace ovenbird
