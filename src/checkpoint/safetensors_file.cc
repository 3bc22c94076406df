// The header of one .safetensors file: eight bytes of length, a JSON object, then the data.
// Each entry is {"dtype": "F16", "shape": [rows, columns], "data_offsets": [first, end]}.
#include "checkpoint/safetensors_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "base/message_text.h"
#include "checkpoint/byte_cursor.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

constexpr char kMetadataKey[] = "__metadata__";

struct Entry {
  StoredTensor tensor;  // without its bytes
  uint64_t first = 0;   // of the data
  uint64_t end = 0;
};

Result<std::string_view> header_text(ByteCursor& cursor) {
  const auto length = cursor.number<uint64_t>();
  if (!length) return fail(Code::kCorrupt, "the file ends inside the header's length");
  if (*length > limits::kSafetensorsHeaderBytesMax) {
    return fail(Code::kCorrupt, "the header claims " + std::to_string(*length) +
                                    " bytes; at most " +
                                    std::to_string(limits::kSafetensorsHeaderBytesMax) +
                                    " are read (is it a safetensors file?)");
  }
  const auto bytes = cursor.bytes(*length);
  if (!bytes) {
    return fail(Code::kCorrupt, "the header claims " + std::to_string(*length) +
                                    " bytes, the file has " + std::to_string(cursor.left()) +
                                    " more (a download cut short?)");
  }
  return std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::vector<uint64_t>> as_counts(const Json* list, size_t count_max) {
  if (!list || !list->is_array() || list->size() > count_max) return std::nullopt;
  std::vector<uint64_t> counts;
  for (const Json& value : *list) {
    if (!value.is_number_unsigned()) return std::nullopt;
    counts.push_back(value.get<uint64_t>());
  }
  return counts;
}

Result<ElementType> as_type(const Json* dtype) {
  const auto* name = dtype ? dtype->get_ptr<const std::string*>() : nullptr;
  if (!name) return fail(Code::kCorrupt, "its dtype is missing or no string");
  if (*name == "F32") return ElementType::kF32;
  if (*name == "F16") return ElementType::kF16;
  if (*name == "BF16") return ElementType::kBF16;
  return fail(Code::kUnsupported,
              "its dtype is " + in_quotes(*name) + "; supported are F32, F16 and BF16");
}

Result<Entry> read_entry(const std::string& name, const Json& value) {
  if (!is_tensor_name(name)) {
    return fail(Code::kCorrupt, "the name is empty, too long or has control characters");
  }
  if (!value.is_object()) return fail(Code::kCorrupt, "its entry is no object");
  const auto type = as_type(member(value, "dtype"));
  if (!type) return Failure{type.error()};
  auto shape = as_counts(member(value, "shape"), limits::kTensorRankMax);
  if (!shape) {
    return fail(Code::kCorrupt, "its shape is no list of at most " +
                                    std::to_string(limits::kTensorRankMax) + " counts");
  }
  const auto offsets = as_counts(member(value, "data_offsets"), 2);
  if (!offsets || offsets->size() != 2 || offsets->front() > offsets->back()) {
    return fail(Code::kCorrupt, "its data_offsets are no pair [first, end]");
  }
  const auto size = stored_bytes(*type, *shape);
  if (!size || *size != offsets->back() - offsets->front()) {
    return fail(Code::kCorrupt, "its shape and dtype do not make the " +
                                    std::to_string(offsets->back() - offsets->front()) +
                                    " bytes of its data_offsets");
  }
  return Entry{{name, *type, *std::move(shape), {}}, offsets->front(), offsets->back()};
}

/// Every byte of the data belongs to exactly one tensor.
Status check_cover(std::vector<Entry>& entries, uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.first, a.end) < std::pair(b.first, b.end);
  });
  uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.first != covered) {
      return fail(Code::kCorrupt, "tensor " + in_quotes(entry.tensor.name) + " begins at byte " +
                                      std::to_string(entry.first) + " of the data, the one " +
                                      "before ends at " + std::to_string(covered));
    }
    covered = entry.end;
  }
  if (covered == data_bytes) return ok();
  return fail(Code::kCorrupt, "the tensors take " + std::to_string(covered) +
                                  " bytes, the data has " + std::to_string(data_bytes) +
                                  (covered > data_bytes ? " (a download cut short?)" : ""));
}

}  // namespace

Result<std::vector<StoredTensor>> read_safetensors(std::span<const std::byte> bytes) {
  ByteCursor cursor(bytes);
  const auto text = header_text(cursor);
  if (!text) return Failure{text.error()};
  const auto header = parse_json(*text, {.bytes_max = limits::kSafetensorsHeaderBytesMax,
                                         .depth_max = 3,  // the object, an entry, a list
                                         .duplicate_keys = DuplicateKeys::kRefuse});
  if (!header) return fail_in("its header", header.error());
  if (!header->is_object()) return fail(Code::kCorrupt, "its header is no JSON object");
  if (header->size() > limits::kTensorsMax) {
    return fail(Code::kCorrupt, "it has " + std::to_string(header->size()) + " tensors; at most " +
                                    std::to_string(limits::kTensorsMax) + " are read");
  }

  std::vector<Entry> entries;
  for (const auto& [name, value] : header->items()) {
    if (name == kMetadataKey) continue;
    auto entry = read_entry(name, value);
    if (!entry) return fail_in("tensor " + in_quotes(name), entry.error());
    entries.push_back(*std::move(entry));
  }
  if (Status status = check_cover(entries, cursor.left()); !status) return Failure{status.error()};
  const auto data = bytes.subspan(cursor.position());
  std::vector<StoredTensor> tensors;
  for (Entry& entry : entries) {
    entry.tensor.bytes = data.subspan(entry.first, entry.end - entry.first);
    tensors.push_back(std::move(entry.tensor));
  }
  return tensors;
}

}  // namespace ovenbird
