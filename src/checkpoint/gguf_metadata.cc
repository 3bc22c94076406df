// The key-value part of a GGUF file.
#include "checkpoint/gguf_metadata.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr size_t kKeyBytesMax = 65535;  // the format's own limit
// A key's length, one byte of key, a type and one byte of value.
constexpr size_t kEntryBytesMin = 8 + 1 + 4 + 1;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<std::string_view> read_string(ByteCursor& cursor) {
  const auto length = cursor.number<uint64_t>();
  if (!length) return std::nullopt;
  const auto bytes = cursor.bytes(*length);
  if (!bytes) return std::nullopt;
  return as_text(*bytes);
}

/// Bytes of one value; 0 for strings, arrays and what the format does not have.
size_t plain_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

Failure cut() { return fail(Code::kCorrupt, "the file ends inside it"); }

/// Walks over the strings of an array, so that later reading needs no checks.
std::optional<size_t> strings_bytes(ByteCursor cursor, uint64_t count) {
  const size_t first = cursor.position();
  for (uint64_t index = 0; index < count; ++index) {
    if (!read_string(cursor)) return std::nullopt;
  }
  return cursor.position() - first;
}

Result<GgufValue> read_array(ByteCursor& cursor) {
  const auto type = cursor.number<uint32_t>();
  const auto count = cursor.number<uint64_t>();
  if (!type || !count) return cut();
  GgufArray array{.type = static_cast<GgufType>(*type), .count = *count, .bytes = {}};
  if (array.type == GgufType::kArray) {
    return fail(Code::kCorrupt, "it is an array of arrays, which no model needs");
  }
  if (*count > limits::kMetadataArrayMax) {
    return fail(Code::kCorrupt, "an array of " + std::to_string(*count) + " entries; at most " +
                                    std::to_string(limits::kMetadataArrayMax) + " are read");
  }
  std::optional<uint64_t> size = plain_bytes(array.type) * *count;
  if (array.type == GgufType::kString) size = strings_bytes(cursor, *count);
  if (plain_bytes(array.type) == 0 && array.type != GgufType::kString) {
    return fail(Code::kCorrupt, "unknown type " + std::to_string(*type) + " of an array's values");
  }
  if (!size) return cut();
  const auto bytes = cursor.bytes(*size);
  if (!bytes) return cut();
  array.bytes = *bytes;
  return GgufValue(array);
}

template <typename Number, typename Wide>
Result<GgufValue> read_plain(ByteCursor& cursor) {
  const auto value = cursor.number<Number>();
  if (!value) return cut();
  return GgufValue(static_cast<Wide>(*value));
}

Result<GgufValue> read_bool(ByteCursor& cursor) {
  const auto value = cursor.number<uint8_t>();
  if (!value) return cut();
  if (*value > 1) return fail(Code::kCorrupt, "a truth value is " + std::to_string(*value));
  return GgufValue(*value == 1);
}

Result<GgufValue> read_value(ByteCursor& cursor, uint32_t type) {
  switch (static_cast<GgufType>(type)) {
    case GgufType::kU8:
      return read_plain<uint8_t, uint64_t>(cursor);
    case GgufType::kI8:
      return read_plain<int8_t, int64_t>(cursor);
    case GgufType::kU16:
      return read_plain<uint16_t, uint64_t>(cursor);
    case GgufType::kI16:
      return read_plain<int16_t, int64_t>(cursor);
    case GgufType::kU32:
      return read_plain<uint32_t, uint64_t>(cursor);
    case GgufType::kI32:
      return read_plain<int32_t, int64_t>(cursor);
    case GgufType::kF32:
      return read_plain<float, double>(cursor);
    case GgufType::kU64:
      return read_plain<uint64_t, uint64_t>(cursor);
    case GgufType::kI64:
      return read_plain<int64_t, int64_t>(cursor);
    case GgufType::kF64:
      return read_plain<double, double>(cursor);
    case GgufType::kBool:
      return read_bool(cursor);
    case GgufType::kArray:
      return read_array(cursor);
    case GgufType::kString: {
      const auto text = read_string(cursor);
      if (!text) return cut();
      return GgufValue(*text);
    }
  }
  return fail(Code::kCorrupt, "unknown value type " + std::to_string(type));
}

}  // namespace

Result<GgufMetadata> GgufMetadata::read(ByteCursor& cursor, uint64_t entries) {
  if (entries > limits::kMetadataEntriesMax || entries > cursor.left() / kEntryBytesMin) {
    return fail(Code::kCorrupt,
                "the header promises " + std::to_string(entries) +
                    " metadata entries, more than the file can hold (cut short?) or than " +
                    std::to_string(limits::kMetadataEntriesMax));
  }
  GgufMetadata metadata;
  for (uint64_t index = 0; index < entries; ++index) {
    const std::string where = "metadata entry " + std::to_string(index);
    const auto key = read_string(cursor);
    if (!key) return fail_in(where + ": its key", cut().error);
    if (key->empty() || key->size() > kKeyBytesMax) {
      return fail(Code::kCorrupt, where + ": its key has " + std::to_string(key->size()) +
                                      " bytes; accepted: 1 to " + std::to_string(kKeyBytesMax));
    }
    const auto type = cursor.number<uint32_t>();
    if (!type) return fail_in("metadata " + in_quotes(*key), cut().error);
    auto value = read_value(cursor, *type);
    if (!value) return fail_in("metadata " + in_quotes(*key), value.error());
    if (!metadata.values_.emplace(*key, *value).second) {
      return fail(Code::kCorrupt, "metadata " + in_quotes(*key) + " appears twice");
    }
  }
  return metadata;
}

void GgufMetadata::refuse(Code code, std::string message) {
  if (!fault_) fault_ = Error{code, std::move(message)};
}

bool GgufMetadata::is_list(std::string_view key) const {
  const auto entry = values_.find(key);
  return entry != values_.end() && std::holds_alternative<GgufArray>(entry->second);
}

template <typename Kind>
const Kind* GgufMetadata::as(const std::string& key, const char* wanted) {
  const auto entry = values_.find(key);
  if (entry == values_.end()) return nullptr;
  const Kind* value = std::get_if<Kind>(&entry->second);
  if (!value) refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is not " + wanted);
  return value;
}

std::optional<int64_t> GgufMetadata::integer(const std::string& key) {
  const auto entry = values_.find(key);
  if (entry == values_.end()) return std::nullopt;
  // Writers disagree about the width and the sign of the type.
  if (const auto* value = std::get_if<int64_t>(&entry->second)) return *value;
  const auto* value = as<uint64_t>(key, "an integer");
  if (!value) return std::nullopt;
  if (*value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is " + std::to_string(*value));
    return std::nullopt;
  }
  return static_cast<int64_t>(*value);
}

std::optional<uint32_t> GgufMetadata::count(const std::string& key) {
  if (is_list(key)) {
    refuse(Code::kUnsupported,
           "metadata " + in_quotes(key) + " is a list: layers that differ are not supported");
    return std::nullopt;
  }
  const auto value = integer(key);
  if (!value) return std::nullopt;
  if (*value < 0 || *value > std::numeric_limits<uint32_t>::max()) {
    refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is " + std::to_string(*value));
    return std::nullopt;
  }
  return static_cast<uint32_t>(*value);
}

uint32_t GgufMetadata::required_count(const std::string& key) {
  if (!has(key)) refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is missing");
  return count(key).value_or(0);
}

std::optional<double> GgufMetadata::number(const std::string& key) {
  const auto* value = as<double>(key, "a floating-point number");
  if (!value) return std::nullopt;
  if (!std::isfinite(*value)) {
    refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is not finite");
    return std::nullopt;
  }
  return *value;
}

std::optional<bool> GgufMetadata::flag(const std::string& key) {
  const auto* value = as<bool>(key, "a truth value");
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::string> GgufMetadata::text(const std::string& key) {
  const auto* value = as<std::string_view>(key, "a string");
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

const GgufArray* GgufMetadata::array(const std::string& key, GgufType type, const char* wanted) {
  const auto* value = as<GgufArray>(key, wanted);
  if (value && value->type != type) {
    refuse(Code::kCorrupt, "metadata " + in_quotes(key) + " is not " + wanted);
    return nullptr;
  }
  return value;
}

std::vector<std::string> GgufMetadata::texts(const std::string& key) {
  std::vector<std::string> out;
  const GgufArray* strings = array(key, GgufType::kString, "a list of strings");
  if (!strings) return out;
  out.reserve(strings->count);
  ByteCursor cursor(strings->bytes);
  for (uint64_t index = 0; index < strings->count; ++index) {
    out.emplace_back(read_string(cursor).value_or(""));
  }
  return out;
}

std::vector<int32_t> GgufMetadata::integers(const std::string& key) {
  const GgufArray* values = array(key, GgufType::kI32, "a list of 32-bit integers");
  std::vector<int32_t> out(values ? values->count : 0);
  if (!out.empty()) std::memcpy(out.data(), values->bytes.data(), values->bytes.size());
  return out;
}

std::vector<float> GgufMetadata::numbers(const std::string& key) {
  const GgufArray* values = array(key, GgufType::kF32, "a list of 32-bit floats");
  std::vector<float> out(values ? values->count : 0);
  if (!out.empty()) std::memcpy(out.data(), values->bytes.data(), values->bytes.size());
  return out;
}

std::vector<bool> GgufMetadata::flags(const std::string& key) {
  const GgufArray* values = array(key, GgufType::kBool, "a list of truth values");
  std::vector<bool> out(values ? values->count : 0);
  for (size_t index = 0; index < out.size(); ++index) {
    out[index] = values->bytes[index] != std::byte{0};
  }
  return out;
}

}  // namespace ovenbird
