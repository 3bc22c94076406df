// The children of every kind of node in a parsed template, for code that walks through it.
#pragma once

#include <jinja/runtime.h>

namespace ovenbird {

/// Calls `visit(statement_ptr&)` for each child that is there. The engine has a visitor of its own,
/// but it shows the nodes only, not the places that hold them.
template <typename Visit>
void for_each_child(jinja::statement& node, const Visit& visit) {
  const auto one = [&](jinja::statement_ptr& child) {
    if (child != nullptr) visit(child);
  };
  const auto all = [&](jinja::statements& children) {
    for (jinja::statement_ptr& child : children) one(child);
  };
  if (auto* branch = dynamic_cast<jinja::if_statement*>(&node)) {
    one(branch->test), all(branch->body), all(branch->alternate);
  } else if (auto* loop = dynamic_cast<jinja::for_statement*>(&node)) {
    one(loop->loopvar), one(loop->iterable), all(loop->body), all(loop->default_block);
  } else if (auto* set = dynamic_cast<jinja::set_statement*>(&node)) {
    one(set->assignee), one(set->val), all(set->body);
  } else if (auto* macro = dynamic_cast<jinja::macro_statement*>(&node)) {
    all(macro->args), all(macro->body);
  } else if (auto* block = dynamic_cast<jinja::call_statement*>(&node)) {
    one(block->call), all(block->caller_args), all(block->body);
  } else if (auto* filtered = dynamic_cast<jinja::filter_statement*>(&node)) {
    all(filtered->body);
  } else if (auto* member = dynamic_cast<jinja::member_expression*>(&node)) {
    one(member->object), one(member->property);
  } else if (auto* call = dynamic_cast<jinja::call_expression*>(&node)) {
    one(call->callee), all(call->args);
  } else if (auto* list = dynamic_cast<jinja::array_literal*>(&node)) {
    all(list->val);
  } else if (auto* tuple = dynamic_cast<jinja::tuple_literal*>(&node)) {
    all(tuple->val);
  } else if (auto* object = dynamic_cast<jinja::object_literal*>(&node)) {
    for (auto& [key, value] : object->val) one(key), one(value);
  } else if (auto* binary = dynamic_cast<jinja::binary_expression*>(&node)) {
    one(binary->left), one(binary->right);
  } else if (auto* filter = dynamic_cast<jinja::filter_expression*>(&node)) {
    one(filter->operand), one(filter->filter);
  } else if (auto* select = dynamic_cast<jinja::select_expression*>(&node)) {
    one(select->lhs), one(select->test);
  } else if (auto* test = dynamic_cast<jinja::test_expression*>(&node)) {
    one(test->operand), one(test->test);
  } else if (auto* unary = dynamic_cast<jinja::unary_expression*>(&node)) {
    one(unary->argument);
  } else if (auto* slice = dynamic_cast<jinja::slice_expression*>(&node)) {
    one(slice->start_expr), one(slice->stop_expr), one(slice->step_expr);
  } else if (auto* keyword = dynamic_cast<jinja::keyword_argument_expression*>(&node)) {
    one(keyword->val);
  } else if (auto* spread = dynamic_cast<jinja::spread_expression*>(&node)) {
    one(spread->argument);
  } else if (auto* choice = dynamic_cast<jinja::ternary_expression*>(&node)) {
    one(choice->condition), one(choice->true_expr), one(choice->false_expr);
  }
}

}  // namespace ovenbird
