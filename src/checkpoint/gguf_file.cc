// A GGUF file taken apart: the fixed header, then the metadata, the tensor descriptions, padding
// to the alignment, and the tensors' data.
#include "checkpoint/gguf_file.h"

#include <algorithm>
#include <bit>
#include <string>
#include <unordered_set>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF", read as a little-endian number
// A name's length, one byte of name, the rank, one dimension, the type, the offset.
constexpr size_t kTensorInfoBytesMin = 8 + 1 + 4 + 8 + 4 + 8;
constexpr uint64_t kAlignmentDefault = 32;
constexpr char kTypesSupported[] =
    "supported are F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K";

std::optional<ElementType> element_type(uint32_t code) {
  switch (code) {  // the numbers are the format's own
    case 0:
      return ElementType::kF32;
    case 1:
      return ElementType::kF16;
    case 2:
      return ElementType::kQ4_0;
    case 3:
      return ElementType::kQ4_1;
    case 6:
      return ElementType::kQ5_0;
    case 7:
      return ElementType::kQ5_1;
    case 8:
      return ElementType::kQ8_0;
    case 12:
      return ElementType::kQ4_K;
    case 13:
      return ElementType::kQ5_K;
    case 14:
      return ElementType::kQ6_K;
    case 30:
      return ElementType::kBF16;
    default:
      return std::nullopt;
  }
}

struct TensorInfo {
  StoredTensor tensor;  // without its bytes
  uint64_t offset = 0;  // from the start of the data
  uint64_t size = 0;    // bytes
};

Failure cut() { return fail(Code::kCorrupt, "the file ends inside its description"); }

Result<std::string> read_name(ByteCursor& cursor) {
  const auto length = cursor.number<uint64_t>();
  if (!length) return cut();
  const auto bytes = cursor.bytes(*length);
  if (!bytes) return cut();
  const std::string_view name(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (!is_tensor_name(name)) {
    return fail(Code::kCorrupt,
                "its name " + in_quotes(name) + " is empty, too long or has control characters");
  }
  return std::string(name);
}

/// The file has the fastest dimension first; a StoredTensor has it last.
Result<std::vector<uint64_t>> read_shape(ByteCursor& cursor) {
  const auto rank = cursor.number<uint32_t>();
  if (!rank) return cut();
  if (*rank == 0 || *rank > limits::kTensorRankMax) {
    return fail(Code::kCorrupt, "it has " + std::to_string(*rank) + " dimensions; accepted: 1 to " +
                                    std::to_string(limits::kTensorRankMax));
  }
  std::vector<uint64_t> shape(*rank);
  for (size_t axis = *rank; axis-- > 0;) {
    const auto dimension = cursor.number<uint64_t>();
    if (!dimension) return cut();
    if (*dimension == 0) return fail(Code::kCorrupt, "it has a dimension of 0");
    shape[axis] = *dimension;
  }
  return shape;
}

Result<TensorInfo> read_info(ByteCursor& cursor) {
  auto name = read_name(cursor);
  if (!name) return Failure{name.error()};
  auto shape = read_shape(cursor);
  if (!shape) return fail_in(in_quotes(*name), shape.error());
  const auto code = cursor.number<uint32_t>();
  const auto offset = cursor.number<uint64_t>();
  if (!code || !offset) return fail_in(in_quotes(*name), cut().error);
  const auto type = element_type(*code);
  if (!type) {
    return fail(Code::kUnsupported, in_quotes(*name) + " is of GGUF tensor type " +
                                        std::to_string(*code) + "; " + kTypesSupported);
  }
  const auto size = stored_bytes(*type, *shape);
  if (!size) {
    return fail(Code::kCorrupt, in_quotes(*name) + ": its dimensions overflow, or a row is not a " +
                                    "whole number of " + name_of(*type) + " blocks");
  }
  return TensorInfo{{*std::move(name), *type, *std::move(shape), {}}, *offset, *size};
}

Result<std::vector<TensorInfo>> read_infos(ByteCursor& cursor, uint64_t count) {
  if (count > limits::kTensorsMax || count > cursor.left() / kTensorInfoBytesMin) {
    return fail(Code::kCorrupt, "the header promises " + std::to_string(count) +
                                    " tensors, more than the file can hold (cut short?) or than " +
                                    std::to_string(limits::kTensorsMax));
  }
  std::vector<TensorInfo> infos;
  std::unordered_set<std::string> names;
  for (uint64_t index = 0; index < count; ++index) {
    auto info = read_info(cursor);
    if (!info) return fail_in("tensor " + std::to_string(index), info.error());
    if (!names.insert(info->tensor.name).second) {
      return fail(Code::kCorrupt, "two tensors are named " + in_quotes(info->tensor.name));
    }
    infos.push_back(*std::move(info));
  }
  return infos;
}

Result<uint64_t> read_alignment(GgufMetadata& metadata) {
  const uint64_t alignment = metadata.count("general.alignment").value_or(kAlignmentDefault);
  if (metadata.fault()) return Failure{*metadata.fault()};
  if (!std::has_single_bit(alignment) || alignment > limits::kGgufAlignmentMax) {
    return fail(Code::kCorrupt, "general.alignment is " + std::to_string(alignment) +
                                    "; accepted: powers of two up to " +
                                    std::to_string(limits::kGgufAlignmentMax));
  }
  return alignment;
}

/// Gives each tensor its bytes of `data`.
Status place(std::vector<TensorInfo>& infos, std::span<const std::byte> data, uint64_t alignment) {
  for (TensorInfo& info : infos) {
    if (info.offset % alignment != 0) {
      return fail(Code::kCorrupt, "tensor " + in_quotes(info.tensor.name) + " begins at byte " +
                                      std::to_string(info.offset) + " of the data, not at a " +
                                      "multiple of " + std::to_string(alignment));
    }
    if (info.offset > data.size() || info.size > data.size() - info.offset) {
      return fail(Code::kCorrupt, "tensor " + in_quotes(info.tensor.name) + " needs " +
                                      std::to_string(info.size) + " bytes from byte " +
                                      std::to_string(info.offset) + " on; the data has " +
                                      std::to_string(data.size()) + " (a download cut short?)");
    }
    info.tensor.bytes = data.subspan(info.offset, info.size);
  }
  return ok();
}

Status refuse_overlap(const std::vector<TensorInfo>& infos) {
  std::vector<const TensorInfo*> sorted;
  for (const TensorInfo& info : infos) sorted.push_back(&info);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t index = 1; index < sorted.size(); ++index) {
    if (sorted[index - 1]->offset + sorted[index - 1]->size > sorted[index]->offset) {
      return fail(Code::kCorrupt, "tensors " + in_quotes(sorted[index - 1]->tensor.name) + " and " +
                                      in_quotes(sorted[index]->tensor.name) + " share bytes");
    }
  }
  return ok();
}

Status check_version(uint32_t version) {
  if (version == 2 || version == 3) return ok();
  constexpr uint32_t kSmall = 0xffff;
  if (version != 0 && (version & kSmall) == 0) {
    return fail(Code::kUnsupported, "it is a big-endian GGUF; convert it to little-endian");
  }
  return fail(Code::kUnsupported,
              "GGUF version " + std::to_string(version) + ", supported are 2 and 3");
}

Status check_split(GgufMetadata& metadata) {
  const auto parts = metadata.count("split.count");
  if (metadata.fault()) return Failure{*metadata.fault()};
  if (parts.value_or(1) <= 1) return ok();
  return fail(Code::kUnsupported, "it is one of " + std::to_string(*parts) +
                                      " parts of a split GGUF; join them into one file first");
}

}  // namespace

const StoredTensor* find_tensor(const GgufFile& file, std::string_view name) {
  const auto found = std::find_if(file.tensors.begin(), file.tensors.end(),
                                  [&](const StoredTensor& tensor) { return tensor.name == name; });
  return found == file.tensors.end() ? nullptr : &*found;
}

bool is_gguf(std::span<const std::byte> bytes) {
  return ByteCursor(bytes).number<uint32_t>() == kMagic;
}

Result<GgufFile> read_gguf(std::span<const std::byte> bytes) {
  if (!is_gguf(bytes)) return fail(Code::kCorrupt, "it does not begin with \"GGUF\"");
  ByteCursor cursor(bytes);
  cursor.number<uint32_t>();
  const auto version = cursor.number<uint32_t>();
  if (!version) return fail(Code::kCorrupt, "the file ends inside the header");
  if (Status status = check_version(*version); !status) {
    return Failure{status.error()};
  }
  const auto tensors = cursor.number<uint64_t>();
  const auto entries = cursor.number<uint64_t>();
  if (!tensors || !entries) return fail(Code::kCorrupt, "the file ends inside the header");

  auto metadata = GgufMetadata::read(cursor, *entries);
  if (!metadata) return Failure{metadata.error()};
  if (Status split = check_split(*metadata); !split) {
    return Failure{split.error()};
  }
  const auto alignment = read_alignment(*metadata);
  if (!alignment) return Failure{alignment.error()};
  auto infos = read_infos(cursor, *tensors);
  if (!infos) return Failure{infos.error()};

  const uint64_t padding = (*alignment - cursor.position() % *alignment) % *alignment;
  const auto data = bytes.subspan(cursor.position() + std::min<uint64_t>(padding, cursor.left()));
  if (Status placed = place(*infos, data, *alignment); !placed) {
    return Failure{placed.error()};
  }
  if (Status apart = refuse_overlap(*infos); !apart) {
    return Failure{apart.error()};
  }
  GgufFile file{.version = *version, .metadata = *std::move(metadata), .tensors = {}};
  for (TensorInfo& info : *infos) file.tensors.push_back(std::move(info.tensor));
  return file;
}

}  // namespace ovenbird
