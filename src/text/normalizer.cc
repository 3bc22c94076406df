// Normalizers: utf8proc composes; the rest is plain replacement.
#include "text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/limits.h"

namespace ovenbird {
namespace {

constexpr size_t kGrowthFree = 1024;  // a short text may grow as it likes

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Result<std::string> compose(std::string_view text) {
  struct Free {
    void operator()(utf8proc_uint8_t* bytes) const { std::free(bytes); }
  };
  utf8proc_uint8_t* composed = nullptr;
  const utf8proc_ssize_t bytes =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(composed);
  if (bytes < 0) {
    return fail(Code::kInternal, std::string("normalize text to NFC: ") + utf8proc_errmsg(bytes));
  }
  return std::string(reinterpret_cast<const char*>(composed), static_cast<size_t>(bytes));
}

/// False if `out` would pass `bytes_max`.
bool replace_all(std::string_view text, const NormalizerStep& step, size_t bytes_max,
                 std::string& out) {
  out.clear();
  size_t done = 0;
  for (size_t found = text.find(step.pattern); found != std::string_view::npos;
       found = text.find(step.pattern, done)) {
    out.append(text.substr(done, found - done)).append(step.text);
    done = found + step.pattern.size();
    if (out.size() > bytes_max) return false;
  }
  out += text.substr(done);
  return out.size() <= bytes_max;
}

}  // namespace

Result<std::string_view> normalize(const std::vector<NormalizerStep>& steps, std::string_view text,
                                   std::string& buffer, std::string& spare) {
  const size_t bytes_max = text.size() * limits::kNormalizedGrowthMax + kGrowthFree;
  for (const NormalizerStep& step : steps) {
    switch (step.kind) {
      case NormalizerStep::Kind::kNfc: {
        if (is_ascii(text)) continue;
        Result<std::string> composed = compose(text);
        if (!composed) return Failure{composed.error()};
        spare = std::move(*composed);
        break;
      }
      case NormalizerStep::Kind::kPrepend:
        if (text.empty()) continue;
        spare.assign(step.text).append(text);
        break;
      case NormalizerStep::Kind::kReplace:
        if (text.find(step.pattern) == std::string_view::npos) continue;
        if (!replace_all(text, step, bytes_max, spare)) spare.assign(bytes_max + 1, ' ');
        break;
    }
    if (spare.size() > bytes_max) {
      return fail(Code::kUnsupported, "normalize text: more than " +
                                          std::to_string(limits::kNormalizedGrowthMax) +
                                          " times its size");
    }
    buffer.swap(spare);  // `text` may have been a view of the old buffer: it lives on in `spare`
    text = buffer;
  }
  return text;
}

}  // namespace ovenbird
