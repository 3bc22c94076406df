// Values of the template engine: made from JSON, with the marks that say which text users wrote.
#pragma once

#include <jinja/value.h>

#include <cstddef>
#include <nlohmann/json.hpp>

namespace ovenbird {

enum class TextSource { kProgram, kUser };

/// Every text inside becomes the template's own (kProgram) or is marked (kUser).
jinja::value to_jinja(const nlohmann::ordered_json& json, TextSource source);

/// Whether any text inside is marked.
bool has_user_text(const jinja::value& checked);

/// Marks a text of which no part is marked; leaves every other value as it is.
void mark_if_unmarked(jinja::value& text);

/// How large a value is when it is written out: shared parts count each time.
struct Extent {
  size_t depth = 0;  // lists and objects inside one another
  size_t bytes = 0;  // of text, and one for each value; stops counting at its largest number
};

/// The extent of `checked`; a circular one, or one deeper than `depth_max`, has depth_max + 1.
Extent extent_of(const jinja::value& checked, size_t depth_max);

}  // namespace ovenbird
