// Chat templates: parsed and rendered by llama.cpp's Jinja engine, under guard, on a deep stack.
#include "text/chat_template.h"

#include <jinja/lexer.h>
#include <jinja/parser.h>
#include <jinja/runtime.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/limits.h"
#include "base/message_text.h"
#include "text/bounded_memory.h"
#include "text/deep_stack.h"
#include "text/jinja_guard.h"
#include "text/jinja_values.h"

namespace ovenbird {
namespace {

// A role outside of these is text like any other: "<|" + role + "|>" could be any special token.
constexpr std::array<std::string_view, 10> kRoles = {
    "system", "user",  "assistant", "tool",    "developer",
    "model",  "human", "function",  "ipython", "environment"};

bool is_usual_role(std::string_view role) {
  return std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
}

/// Brackets inside one another, whatever they mean: the parser calls itself for each.
size_t deepest_brackets(std::string_view source) {
  size_t depth = 0, deepest = 0;
  for (const char c : source) {
    if (c == '(' || c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if ((c == ')' || c == ']' || c == '}') && depth > 0) --depth;
  }
  return deepest;
}

/// The engine's messages end with "Error: ..." and show the source above it.
std::string short_message(const std::exception& thrown) {
  const std::string_view whole = thrown.what();
  constexpr std::string_view kMark = "Error: ";
  const size_t mark = whole.rfind(kMark);
  if (mark != std::string_view::npos) return one_line(whole.substr(mark + kMark.size()));
  const size_t text = std::min(whole.find_first_not_of('\n'), whole.size());
  return one_line(whole.substr(text, whole.find('\n', text) - text));
}

/// A template that calls raise_exception refuses the conversation; else it is the template's fault.
Failure failure_of(const std::exception& thrown) {
  const bool is_refusal =
      std::string_view(thrown.what()).find("Jinja Exception: ") != std::string_view::npos;
  return fail(is_refusal ? Code::kInvalidArgument : Code::kCorrupt, short_message(thrown));
}

jinja::program parse(const std::string& source) {
  jinja::lexer lexer;
  return jinja::parse_from_tokens(lexer.tokenize(source));
}

jinja::value message_to_jinja(const nlohmann::ordered_json& message) {
  jinja::value value = to_jinja(message, TextSource::kUser);
  if (!message.is_object() || !message.contains("role")) return value;
  const auto& role = message["role"];
  if (role.is_string() && is_usual_role(role.get_ref<const std::string&>())) {
    value->insert(jinja::mk_val<jinja::value_string>(std::string("role")),
                  to_jinja(role, TextSource::kProgram));
  }
  return value;
}

void set_variables(const ChatInput& input, jinja::context& scope) {
  set_guarded_functions(scope, input.now.value_or(std::time(nullptr)));
  const auto set_text = [&](const char* name, const std::string& text) {
    scope.set_val(name, jinja::mk_val<jinja::value_string>(text));
  };
  set_text("bos_token", input.bos_token);
  set_text("eos_token", input.eos_token);
  auto messages = jinja::mk_val<jinja::value_array>();
  for (const auto& message : input.messages) messages->push_back(message_to_jinja(message));
  scope.set_val("messages", messages);
  scope.set_val("add_generation_prompt",
                jinja::mk_val<jinja::value_bool>(input.add_generation_prompt));
  scope.set_val("tools", to_jinja(input.tools, TextSource::kUser));
  scope.set_val("documents", jinja::mk_val<jinja::value_none>());
  if (!input.variables.is_object()) return;
  for (const auto& [name, variable] : input.variables.items()) {
    scope.set_val(name, to_jinja(variable, TextSource::kProgram));
  }
}

RenderedChat to_rendered(const jinja::value_string& rendered) {
  RenderedChat chat;
  for (const auto& part : rendered->val_str.parts) {
    if (chat.text.size() + part.val.size() > limits::kRenderedBytesMax) {
      throw TemplateBudget::Exceeded{"the text is too long"};
    }
    const size_t first = chat.text.size();
    chat.text += part.val;
    if (part.is_input && !part.val.empty()) {
      chat.user_text.push_back({.first = first, .end = chat.text.size()});
    }
  }
  return chat;
}

RenderedChat run_template(const std::string& source, const ChatInput& input) {
  const TemplateBudget budget;
  jinja::program program = parse(source);
  guard(program);
  jinja::context scope(source);
  set_variables(input, scope);
  const jinja::value_array parts = jinja::runtime(scope).execute(program);
  return to_rendered(jinja::runtime::gather_string_parts(parts));
}

/// What `work` gives, run on a deep stack within the memory limit; no exception gets out.
Result<RenderedChat> run_limited(const std::function<RenderedChat()>& work) {
  Result<RenderedChat> outcome = fail(Code::kInternal, "the template did not run");
  const Status ran = run_on_deep_stack(limits::kTemplateStackBytes, [&] {
    BoundedMemory memory(limits::kTemplateMemoryBytesMax);
    const auto needs_memory = [&] {
      return fail(Code::kUnsupported, "the template needs more than " +
                                          std::to_string(limits::kTemplateMemoryBytesMax >> 20) +
                                          " MiB of memory");
    };
    try {
      outcome = work();
    } catch (const TemplateBudget::Exceeded& exceeded) {
      outcome = fail(Code::kUnsupported,
                     std::string("the template goes beyond its limits: ") + exceeded.what);
    } catch (const std::bad_alloc&) {
      outcome = needs_memory();
    } catch (const jinja::not_implemented_exception& thrown) {
      outcome = fail(Code::kUnsupported, short_message(thrown));
    } catch (const std::exception& thrown) {
      outcome = memory.was_exceeded() ? needs_memory() : failure_of(thrown);
    }
  });
  if (!ran) return Failure{ran.error()};
  return outcome;
}

}  // namespace

Result<ChatTemplate> ChatTemplate::compile(std::string source) {
  const std::string step = "compile chat template";
  if (source.size() > limits::kTemplateBytesMax) {
    return fail(Code::kUnsupported, step + ": " + std::to_string(source.size()) +
                                        " bytes, at most " +
                                        std::to_string(limits::kTemplateBytesMax));
  }
  if (deepest_brackets(source) > limits::kTemplateNestingMax) {
    return fail(Code::kUnsupported, step + ": more than " +
                                        std::to_string(limits::kTemplateNestingMax) +
                                        " brackets inside one another");
  }
  const Result<RenderedChat> parsed = run_limited([&] {
    parse(source);
    return RenderedChat{};
  });
  if (!parsed) return fail_in(step, parsed.error());
  return ChatTemplate(std::move(source));
}

Result<RenderedChat> ChatTemplate::render(const ChatInput& input) const {
  Result<RenderedChat> rendered = run_limited([&] { return run_template(source_, input); });
  if (!rendered) return fail_in("render chat template", rendered.error());
  return rendered;
}

Result<std::vector<int32_t>> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                         ChatInput input) {
  input.bos_token = tokenizer.bos_text();
  input.eos_token = tokenizer.eos_text();
  const Result<RenderedChat> rendered = chat.render(input);
  if (!rendered) return Failure{rendered.error()};
  return tokenizer.encode(rendered->text, rendered->user_text);
}

}  // namespace ovenbird
