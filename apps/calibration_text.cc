// A file, its tokens, windows of them.
#include "calibration_text.h"

#include <algorithm>

#include "base/limits.h"
#include "base/mapped_file.h"
#include "base/message_text.h"
#include "text/utf8.h"

namespace ovenbird {
namespace {

constexpr size_t kWindowTokens = 256;
constexpr size_t kWindowsMin = 4;
constexpr size_t kWindowsMax = 128;

Failure refuse(Code code, const std::string& file, const std::string& why) {
  return fail(code, "bake: --calibrate " + one_line(file) + ": " + why);
}

std::vector<std::vector<int32_t>> spread(const std::vector<int32_t>& ids) {
  const size_t count = std::min(ids.size() / kWindowTokens, kWindowsMax);
  std::vector<std::vector<int32_t>> windows;
  for (size_t window = 0; window < count; ++window) {
    const size_t first = (ids.size() - kWindowTokens) * window / std::max<size_t>(count - 1, 1);
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(first);
    windows.emplace_back(begin, begin + kWindowTokens);
  }
  return windows;
}

}  // namespace

Result<std::vector<std::vector<int32_t>>> calibration_windows(const std::string& file,
                                                              const Tokenizer& tokenizer,
                                                              uint32_t vocabulary) {
  const Result<MappedFile> mapped = MappedFile::open(file);
  if (!mapped) return fail_in("--calibrate", mapped.error());
  const std::string_view text(reinterpret_cast<const char*>(mapped->bytes().data()),
                              mapped->bytes().size());
  if (!is_utf8(text)) return refuse(Code::kCorrupt, file, "it is not UTF-8; name a plain text");
  const Result<std::vector<int32_t>> ids = tokenizer.encode(text, SpecialText::kIsText);
  if (!ids) return fail_in("--calibrate", ids.error());
  if (ids->size() < kWindowTokens * kWindowsMin) {
    return refuse(Code::kCorrupt, file,
                  "it has " + std::to_string(ids->size()) + " tokens, and calibration needs " +
                      std::to_string(kWindowTokens * kWindowsMin) + "; name a longer text");
  }
  const int32_t largest = *std::max_element(ids->begin(), ids->end());
  if (static_cast<uint32_t>(largest) >= vocabulary) {
    return refuse(Code::kCorrupt, file,
                  "it needs token " + std::to_string(largest) + ", and the model's are below " +
                      std::to_string(vocabulary) + "; name another text");
  }
  return spread(*ids);
}

}  // namespace ovenbird
