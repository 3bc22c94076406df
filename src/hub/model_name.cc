// Names of models, revisions and files.
#include "hub/model_name.h"

#include <algorithm>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr size_t kIdBytesMax = 200;        // the hub allows 96 for each half
constexpr size_t kRevisionBytesMax = 200;  // below what a file system takes as a name
constexpr size_t kEtagBytesMax = 200;
constexpr size_t kPartBytesMax = 255;  // of a path: what file systems take

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_word(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter_or_digit(c) || more.find(c) != more.npos;
  });
}

/// Whether `good` holds for every part between slashes; there is at least one.
template <typename Check>
bool every_part(std::string_view path, Check good) {
  for (size_t begin = 0;;) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (!good(path.substr(begin, end - begin))) return false;
    if (end == path.size()) return true;
    begin = end + 1;
  }
}

/// "NAME" or "OWNER/NAME", of the characters that the hub allows.
bool is_id(std::string_view text) {
  return text.size() <= kIdBytesMax && std::count(text.begin(), text.end(), '/') <= 1 &&
         every_part(text,
                    [](std::string_view part) {
                      return is_word(part, "-_.") && part.front() != '.' && part.front() != '-';
                    }) &&
         text.find("..") == text.npos && text.find("--") == text.npos;
}

struct Parts {
  std::string_view id, revision, file;
  bool has_revision = false, has_file = false;
};

Parts parts_of(std::string_view text) {
  Parts parts;
  if (const size_t colon = text.find(':'); colon != text.npos) {
    parts.file = text.substr(colon + 1);
    parts.has_file = true;
    text = text.substr(0, colon);
  }
  if (const size_t at = text.find('@'); at != text.npos) {
    parts.revision = text.substr(at + 1);
    parts.has_revision = true;
    text = text.substr(0, at);
  }
  parts.id = text;
  return parts;
}

Failure refused(std::string_view text, const std::string& why) {
  return fail(Code::kInvalidArgument, "the model name " + in_quotes(text) + ": " + why +
                                          "; write OWNER/NAME, OWNER/NAME@REVISION or "
                                          "OWNER/NAME:FILE.gguf");
}

}  // namespace

std::string ModelName::text() const {
  return id + (revision.empty() ? "" : "@" + revision) + (file.empty() ? "" : ":" + file);
}

bool is_model_name(std::string_view text) {
  const Parts parts = parts_of(text);
  if (!is_id(parts.id)) return false;
  return parts.has_file || parts.has_revision || !parts.id.ends_with(".gguf");
}

Result<ModelName> parse_model_name(std::string_view text) {
  const Parts parts = parts_of(text);
  if (!is_id(parts.id)) return refused(text, in_quotes(parts.id) + " is no id of a model");
  if (parts.has_revision && !is_revision(parts.revision)) {
    return refused(text, in_quotes(parts.revision) + " is no revision");
  }
  if (parts.has_file && (!is_repository_path(parts.file) || !parts.file.ends_with(".gguf"))) {
    return refused(text, in_quotes(parts.file) + " is no .gguf file of a repository");
  }
  return ModelName{std::string(parts.id), std::string(parts.revision), std::string(parts.file)};
}

bool is_revision(std::string_view text) {
  return text.size() <= kRevisionBytesMax && text.find("..") == text.npos &&
         every_part(text, [](std::string_view part) {
           return is_word(part, "-_.+") && part.front() != '.' && part.front() != '-';
         });
}

bool is_repository_path(std::string_view text) {
  return text.size() <= limits::kHubPathBytesMax && every_part(text, [](std::string_view part) {
           return !part.empty() && part.size() <= kPartBytesMax && part != "." && part != ".." &&
                  std::none_of(part.begin(), part.end(),
                               [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; });
         });
}

bool is_commit(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool is_etag(std::string_view text) {
  return text.size() <= kEtagBytesMax && is_word(text, "-_.") && text.front() != '.' &&
         !text.ends_with(".incomplete");
}

}  // namespace ovenbird
