// Reads without believing, changes one part, writes with the right counts.
#include "gguf_mutator.h"

#include <algorithm>

#include "checkpoint/byte_cursor.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/stored_tensor.h"

namespace ovenbird {
namespace {

constexpr uint32_t kString = static_cast<uint32_t>(GgufType::kString);
constexpr uint32_t kArray = static_cast<uint32_t>(GgufType::kArray);
constexpr size_t kTypes = 13;
constexpr size_t kTypeBytes[kTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr uint64_t kAlignment = 32;
constexpr size_t kCountMax = 1 << 16;  // of anything; far above the seeds'

struct TensorType {
  uint32_t code;
  ElementType type;
};
constexpr TensorType kTensorTypes[] = {
    {0, ElementType::kF32},   {1, ElementType::kF16},   {2, ElementType::kQ4_0},
    {3, ElementType::kQ4_1},  {6, ElementType::kQ5_0},  {7, ElementType::kQ5_1},
    {8, ElementType::kQ8_0},  {12, ElementType::kQ4_K}, {13, ElementType::kQ5_K},
    {14, ElementType::kQ6_K}, {30, ElementType::kBF16}};

/// Reads zeros and empty strings from the end on, and remembers that it got there.
class Parts {
 public:
  explicit Parts(std::span<const std::byte> file) : cursor_(file) {}

  template <typename Number>
  Number number() {
    const auto read = cursor_.number<Number>();
    is_whole_ &= read.has_value();
    return read.value_or(0);
  }
  std::string bytes(uint64_t count) {
    const auto read = cursor_.bytes(count);
    is_whole_ &= read.has_value();
    if (!read) return {};
    return {reinterpret_cast<const char*>(read->data()), read->size()};
  }
  std::string text() { return bytes(number<uint64_t>()); }
  std::string value(uint32_t type) {
    is_whole_ &= type < kTypes && type != kArray;
    if (!is_whole_) return {};
    return type == kString ? text() : bytes(kTypeBytes[type]);
  }
  uint64_t count() {
    const auto count = number<uint64_t>();
    is_whole_ &= count <= kCountMax;
    return is_whole_ ? count : 0;
  }
  bool is_whole() const { return is_whole_; }

 private:
  ByteCursor cursor_;
  bool is_whole_ = true;
};

GgufParts::Entry read_entry(Parts& in) {
  GgufParts::Entry entry{.key = in.text(), .type = in.number<uint32_t>(), .values = {}};
  uint64_t count = 1;
  if (entry.type == kArray) {
    entry.element_type = in.number<uint32_t>();
    count = in.count();
  }
  const uint32_t type = entry.type == kArray ? entry.element_type : entry.type;
  while (count-- > 0 && in.is_whole()) entry.values.push_back(in.value(type));
  return entry;
}

GgufParts::Info read_info(Parts& in) {
  GgufParts::Info info{.name = in.text(), .dimensions = {}};
  for (auto rank = in.number<uint32_t>(); rank > 0 && in.is_whole(); --rank) {
    info.dimensions.push_back(in.number<uint64_t>());
  }
  info.type = in.number<uint32_t>();
  info.offset = in.number<uint64_t>();
  return info;
}

template <typename Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put_text(std::string& out, const std::string& text) {
  put(out, uint64_t{text.size()});
  out += text;
}

void put_entry(std::string& out, const GgufParts::Entry& entry) {
  put_text(out, entry.key);
  put(out, entry.type);
  if (entry.type == kArray) {
    put(out, entry.element_type);
    put(out, uint64_t{entry.values.size()});
  }
  const uint32_t type = entry.type == kArray ? entry.element_type : entry.type;
  for (const std::string& value : entry.values) {
    if (type == kString) put(out, uint64_t{value.size()});
    out += value;
  }
}

/// Erases, doubles or swaps one of a list.
template <typename Value>
void change_list(std::vector<Value>& list, Chance& chance) {
  if (list.empty()) return;
  const auto place = list.begin() + static_cast<std::ptrdiff_t>(chance.below(list.size()));
  switch (chance.below(3)) {
    case 0:
      list.erase(place);
      return;
    case 1: {
      const Value copy = *place;
      list.insert(place, chance.one_in(8) ? chance.below(64) : 1, copy);
      return;
    }
    default:
      std::swap(*place, chance.any_of(list));
  }
}

void change_number(uint64_t& number, Chance& chance) {
  const uint64_t near[] = {number + 1, number - 1,          number * 2,
                           number / 2, number + kAlignment, chance.extreme_number()};
  number = near[chance.below(std::size(near))];
}

void change_value(GgufParts::Entry& entry, Chance& chance) {
  if (entry.values.empty()) return;
  std::string& value = chance.any_of(entry.values);
  const uint32_t type = entry.type == kArray ? entry.element_type : entry.type;
  const size_t bytes = value.size();
  if (type == kString || chance.one_in(4)) {
    value = mutated_bytes(value);
  } else {
    uint64_t number = 0;
    std::memcpy(&number, value.data(), std::min(bytes, sizeof number));
    change_number(number, chance);
    std::memcpy(value.data(), &number, std::min(bytes, sizeof number));
  }
  if (type != kString) value.resize(bytes);
}

/// Another type, with values of its size.
void change_type(GgufParts::Entry& entry, Chance& chance) {
  const auto type = static_cast<uint32_t>(chance.below(kTypes));
  if (type == kArray) return;
  (entry.type == kArray ? entry.element_type : entry.type) = type;
  for (std::string& value : entry.values) {
    if (type != kString) value.resize(kTypeBytes[type]);
  }
}

void change_entry(GgufParts& parts, Chance& chance) {
  if (parts.entries.empty()) return;
  GgufParts::Entry& entry = chance.any_of(parts.entries);
  switch (chance.below(8)) {
    case 0:
      entry.key = chance.one_in(2) ? chance.any_of(parts.entries).key : mutated_bytes(entry.key);
      return;
    case 1:
      return change_type(entry, chance);
    case 2:
      return change_list(parts.entries, chance);
    case 3:
    case 4:
      return entry.type == kArray ? change_list(entry.values, chance) : change_value(entry, chance);
    default:
      return change_value(entry, chance);
  }
}

void change_tensor(GgufParts& parts, Chance& chance) {
  if (parts.tensors.empty()) return;
  GgufParts::Info& info = chance.any_of(parts.tensors);
  switch (chance.below(6)) {
    case 0:
      info.name = chance.one_in(2) ? chance.any_of(parts.tensors).name : mutated_bytes(info.name);
      return;
    case 1:
      info.type = kTensorTypes[chance.below(std::size(kTensorTypes))].code;
      return;
    case 2:
      return change_number(info.offset, chance);
    case 3:
      return change_list(info.dimensions, chance);
    case 4:
      return change_list(parts.tensors, chance);
    default:
      if (!info.dimensions.empty()) change_number(chance.any_of(info.dimensions), chance);
  }
}

uint64_t bytes_of(const GgufParts::Info& info) {
  const auto* type = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                  [&](const TensorType& known) { return known.code == info.type; });
  if (type == std::end(kTensorTypes)) return 0;
  const std::vector<uint64_t> shape(info.dimensions.rbegin(), info.dimensions.rend());
  return stored_bytes(type->type, shape).value_or(0);
}

}  // namespace

std::optional<GgufParts> parts_of_gguf(std::span<const std::byte> file) {
  Parts in(file);
  in.number<uint32_t>();  // "GGUF"
  GgufParts parts{.version = in.number<uint32_t>(), .entries = {}, .tensors = {}};
  uint64_t tensors = in.count();
  uint64_t entries = in.count();
  while (entries-- > 0 && in.is_whole()) parts.entries.push_back(read_entry(in));
  while (tensors-- > 0 && in.is_whole()) parts.tensors.push_back(read_info(in));
  if (!in.is_whole()) return std::nullopt;
  return parts;
}

std::string gguf_of(const GgufParts& parts) {
  std::string out = "GGUF";
  put(out, parts.version);
  put(out, uint64_t{parts.tensors.size()});
  put(out, uint64_t{parts.entries.size()});
  for (const GgufParts::Entry& entry : parts.entries) put_entry(out, entry);
  for (const GgufParts::Info& info : parts.tensors) {
    put_text(out, info.name);
    put(out, static_cast<uint32_t>(info.dimensions.size()));
    for (const uint64_t dimension : info.dimensions) put(out, dimension);
    put(out, info.type);
    put(out, info.offset);
  }
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
  return out;
}

void mutate(GgufParts& parts, Chance& chance) {
  do {
    chance.one_in(2) ? change_entry(parts, chance) : change_tensor(parts, chance);
  } while (chance.one_in(3));
}

uint64_t lay_out(GgufParts& parts) {
  uint64_t end = 0;
  for (GgufParts::Info& info : parts.tensors) {
    info.offset = end;
    end = (end + bytes_of(info) + kAlignment - 1) / kAlignment * kAlignment;
  }
  return end;
}

}  // namespace ovenbird
