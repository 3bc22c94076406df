// Which tensors go into the weights file, in which format and order.
#include "bake/weights_writer.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "bake/quantize.h"
#include "base/check.h"

namespace ovenbird {
namespace {

constexpr uint64_t kAlignment = 64;             // bytes; a cache line, and what OpenVINO asks for
constexpr uint64_t kRowsAtOnceBytes = 4 << 20;  // f32 bytes of the rows that are converted together

const std::vector<Weight> kLayerWeights = {
    Weight::kAttentionNorm, Weight::kQuery,     Weight::kKey,     Weight::kValue,
    Weight::kOutput,        Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias,
    Weight::kOutputBias,    Weight::kQueryNorm, Weight::kKeyNorm, Weight::kMlpNorm,
    Weight::kGate,          Weight::kUp,        Weight::kDown,    Weight::kGateBias,
    Weight::kUpBias,        Weight::kDownBias};

/// The values of a vector tensor (norms, biases) as floats.
std::vector<float> read_vector(const Tensor& tensor) {
  std::vector<float> values(tensor.rows * tensor.columns);
  for (uint64_t row = 0; row < tensor.rows; ++row) {
    dequantize(tensor.type, tensor.row(row),
               std::span(values).subspan(row * tensor.columns, tensor.columns));
  }
  return values;
}

/// The bias that goes with a matrix of a group.
Weight bias_of(Weight weight) {
  switch (weight) {
    case Weight::kQuery:
      return Weight::kQueryBias;
    case Weight::kKey:
      return Weight::kKeyBias;
    case Weight::kValue:
      return Weight::kValueBias;
    case Weight::kOutput:
      return Weight::kOutputBias;
    case Weight::kGate:
      return Weight::kGateBias;
    case Weight::kUp:
      return Weight::kUpBias;
    case Weight::kDown:
      return Weight::kDownBias;
    default:
      OVENBIRD_CHECK(!"a weight without a bias");
      return weight;
  }
}

/// Runs `work(first, last)` over [0, count) on all processors, each taking one run of rows.
template <typename Work>
void in_parallel(uint64_t count, const Work& work) {
  const uint64_t threads =
      std::clamp<uint64_t>(std::thread::hardware_concurrency(), 1, std::max<uint64_t>(count, 1));
  std::vector<std::jthread> others;
  for (uint64_t part = 1; part < threads; ++part) {
    others.emplace_back([=, &work] { work(count * part / threads, count * (part + 1) / threads); });
  }
  work(0, count / threads);
}

/// Converts rows [first, first + count) of `tensor`; returns the first bad row, if any.
std::optional<uint64_t> convert_rows(const Tensor& tensor, const StoredMatrix& matrix,
                                     bool lossless, uint64_t first, const RowSink& sink) {
  const RowBytes bytes = row_bytes(matrix.format, matrix.padded_columns);
  const uint64_t count = sink.values.size() / bytes.values;
  std::vector<uint8_t> good(count);
  in_parallel(count, [&](uint64_t from, uint64_t to) {
    std::vector<float> weights(tensor.columns);
    for (uint64_t row = from; row < to; ++row) {
      const std::span<const std::byte> stored = tensor.row(first + row);
      dequantize(tensor.type, stored, weights);
      const RowSink out{.values = sink.values.subspan(row * bytes.values, bytes.values),
                        .scales = sink.scales.subspan(row * bytes.scales, bytes.scales),
                        .zeros = sink.zeros.subspan(row * bytes.zeros, bytes.zeros)};
      good[row] = lossless ? keep_row(tensor.type, stored, weights, out)
                           : quantize_row(matrix.format, weights, out);
    }
  });
  const auto bad = std::find(good.begin(), good.end(), 0);
  if (bad == good.end()) return std::nullopt;
  return first + static_cast<uint64_t>(bad - good.begin());
}

}  // namespace

std::string layer_name(uint32_t layer, const char* part) {
  return "layers." + std::to_string(layer) + "." + part;
}

uint64_t source_bytes(const Checkpoint& checkpoint) {
  uint64_t bytes = 0;
  const auto add = [&](Weight weight, uint32_t layer) {
    if (const Tensor* tensor = checkpoint.find(weight, layer)) bytes += tensor->bytes.size();
  };
  add(Weight::kEmbedding, 0);
  add(Weight::kFinalNorm, 0);
  if (!checkpoint.config().tied_head) add(Weight::kHead, 0);
  for (uint32_t layer = 0; layer < checkpoint.config().layers; ++layer) {
    for (const Weight weight : kLayerWeights) add(weight, layer);
  }
  return bytes;
}

WeightsWriter::WeightsWriter(const Checkpoint& checkpoint, const BakeOptions& options,
                             BundleFile& file, BakeProgress progress)
    : checkpoint_(checkpoint), options_(options), file_(file), progress_(std::move(progress)) {}

Result<StoredWeights> WeightsWriter::write() {
  const WeightChoice tables = options_.embedding.value_or(
      options_.weights == WeightChoice::kInt4 ? WeightChoice::kInt8 : options_.weights);
  if (Status done = write_group({"embedding", {Weight::kEmbedding}}, tables, "embedding"); !done) {
    return Failure{done.error()};
  }
  for (uint32_t layer = 0; layer < checkpoint_.config().layers; ++layer) {
    if (Status done = write_layer(layer); !done) return Failure{done.error()};
  }
  if (Status done = write_norm("final_norm", Weight::kFinalNorm, 0); !done) {
    return Failure{done.error()};
  }
  if (!checkpoint_.config().tied_head) {
    if (Status done = write_group({"head", {Weight::kHead}}, tables, "head"); !done) {
      return Failure{done.error()};
    }
  }
  return std::move(stored_);
}

Status WeightsWriter::write_layer(uint32_t layer) {
  const auto name = [&](const char* part) { return layer_name(layer, part); };
  const MatrixGroup groups[] = {
      {name("qkv"), {Weight::kQuery, Weight::kKey, Weight::kValue}, layer},
      {name("output"), {Weight::kOutput}, layer},
      {name("gate_up"), {Weight::kGate, Weight::kUp}, layer},
      {name("down"), {Weight::kDown}, layer}};
  if (Status done = write_norm(name("attention_norm"), Weight::kAttentionNorm, layer); !done) {
    return done;
  }
  if (Status done = write_norm(name("mlp_norm"), Weight::kMlpNorm, layer); !done) return done;
  if (checkpoint_.config().qk_norm) {
    if (Status done = write_query_key_norm(layer); !done) return done;
  }
  for (const MatrixGroup& group : groups) {
    if (Status done = write_group(group, options_.weights, "layers"); !done) return done;
    if (Status done = write_biases(group, "_bias"); !done) return done;
  }
  return ok();
}

MatrixFormat WeightsWriter::format_of(WeightChoice choice, const Tensor& tensor,
                                      bool is_table) const {
  switch (choice) {
    case WeightChoice::kF32:
      return {.type = StoredType::kF32};
    case WeightChoice::kF16:
      return {.type = StoredType::kF16};
    case WeightChoice::kInt8:
      return {.type = StoredType::kI8, .group = tensor.columns};
    case WeightChoice::kGguf:
      return lossless_format(tensor.type);
    case WeightChoice::kInt4:
      break;
  }
  OVENBIRD_CHECK(!is_table);
  const int32_t group = options_.group_size.value_or(128);
  const uint64_t columns =
      group == -1 ? (tensor.columns + 1) / 2 * 2 : static_cast<uint64_t>(group);
  return {.type = options_.asymmetric ? StoredType::kU4 : StoredType::kI4,
          .group = columns,
          .has_zeros = options_.asymmetric};
}

Status WeightsWriter::write_group(const MatrixGroup& group, WeightChoice choice, const char* role) {
  std::vector<const Tensor*> parts;
  std::vector<MatrixFormat> formats;
  for (const Weight weight : group.members) {
    parts.push_back(checkpoint_.find(weight, group.layer));
    OVENBIRD_CHECK(parts.back());  // open_checkpoint has seen to it
    formats.push_back(format_of(choice, *parts.back(), weight == Weight::kEmbedding));
  }
  const auto same = [&](const MatrixFormat& format) { return format == formats[0]; };
  if (std::all_of(formats.begin(), formats.end(), same)) {
    return write_matrix(group.name, parts, formats[0], role);
  }
  for (size_t index = 0; index < parts.size(); ++index) {
    const std::string name = group.name + "." + std::to_string(index);
    if (Status done = write_matrix(name, {parts[index]}, formats[index], role); !done) return done;
  }
  return ok();
}

Status WeightsWriter::write_matrix(const std::string& name, const std::vector<const Tensor*>& parts,
                                   const MatrixFormat& format, const char* role) {
  StoredMatrix matrix{.format = format, .columns = parts[0]->columns};
  const uint64_t group = std::max<uint64_t>(format.group, 1);
  matrix.padded_columns = (matrix.columns + group - 1) / group * group;
  for (const Tensor* part : parts) matrix.rows += part->rows;

  if (Status aligned = file_.align(kAlignment); !aligned) return aligned;
  const RowBytes bytes = row_bytes(format, matrix.padded_columns);
  const bool one_group = format.group == 0 || format.group == matrix.padded_columns;
  const uint64_t groups = format.group ? matrix.padded_columns / format.group : 0;
  stored_.blobs[name + ".values"] = {
      .type = format.type,
      .shape = one_group ? std::vector<uint64_t>{matrix.rows, matrix.padded_columns}
                         : std::vector<uint64_t>{matrix.rows, groups, format.group},
      .offset = file_.bytes(),
      .bytes = matrix.rows * bytes.values};
  std::vector<std::byte> scales;
  std::vector<std::byte> zeros;
  for (const Tensor* part : parts) {
    if (Status done = write_rows(*part, matrix, scales, zeros); !done) return done;
  }
  const auto per_group = one_group ? std::vector<uint64_t>{matrix.rows, 1}
                                   : std::vector<uint64_t>{matrix.rows, groups, 1};
  if (!scales.empty()) {
    const Status done = write_blob(name + ".scales", format.scale_type, per_group, scales);
    if (!done) return done;
  }
  if (!zeros.empty()) {
    const Status done = write_blob(name + ".zeros", format.zero_type, per_group, zeros);
    if (!done) return done;
  }
  stored_.matrices[name] = matrix;
  summarize(role, format, matrix);
  return ok();
}

Status WeightsWriter::write_rows(const Tensor& tensor, const StoredMatrix& matrix,
                                 std::vector<std::byte>& scales, std::vector<std::byte>& zeros) {
  const RowBytes bytes = row_bytes(matrix.format, matrix.padded_columns);
  const uint64_t at_once = std::max<uint64_t>(kRowsAtOnceBytes / (matrix.padded_columns * 4), 1);
  // A source that already has the wanted format is kept, not rounded again.
  const bool lossless = matrix.format == lossless_format(tensor.type);
  std::vector<std::byte> values;
  for (uint64_t first = 0; first < tensor.rows; first += at_once) {
    const uint64_t count = std::min(at_once, tensor.rows - first);
    values.resize(count * bytes.values);
    const size_t scales_before = scales.size();
    const size_t zeros_before = zeros.size();
    scales.resize(scales_before + count * bytes.scales);
    zeros.resize(zeros_before + count * bytes.zeros);
    const auto bad = convert_rows(
        tensor, matrix, lossless, first,
        {values, std::span(scales).subspan(scales_before), std::span(zeros).subspan(zeros_before)});
    if (bad) {
      return fail(Code::kCorrupt, "bake: tensor " + tensor.name + ": row " + std::to_string(*bad) +
                                      " holds NaN, infinity or more than " +
                                      name_of(matrix.format.type) +
                                      " can; get the source again, or use --weights f32");
    }
    if (Status appended = file_.append(values); !appended) return appended;
    if (Status noted = note_progress(count * tensor.row_bytes()); !noted) return noted;
  }
  checkpoint_.release(tensor);
  return ok();
}

Status WeightsWriter::write_biases(const MatrixGroup& group, const char* suffix) {
  std::vector<float> values;
  bool any = false;
  for (const Weight weight : group.members) {
    const uint64_t rows = checkpoint_.find(weight, group.layer)->rows;
    const Tensor* bias = checkpoint_.find(bias_of(weight), group.layer);
    any |= bias != nullptr;
    const std::vector<float> part = bias ? read_vector(*bias) : std::vector<float>(rows);
    values.insert(values.end(), part.begin(), part.end());
  }
  if (!any) return ok();
  return write_vector(group.name + suffix, {1, 1, values.size()}, values);
}

Status WeightsWriter::write_norm(const std::string& name, Weight weight, uint32_t layer) {
  const Tensor* tensor = checkpoint_.find(weight, layer);
  OVENBIRD_CHECK(tensor);
  const std::vector<float> values = read_vector(*tensor);
  return write_vector(name, {1, 1, values.size()}, values);
}

Status WeightsWriter::write_query_key_norm(uint32_t layer) {
  const ModelConfig& config = checkpoint_.config();
  const std::vector<float> query = read_vector(*checkpoint_.find(Weight::kQueryNorm, layer));
  const std::vector<float> key = read_vector(*checkpoint_.find(Weight::kKeyNorm, layer));
  std::vector<float> values;
  for (uint32_t head = 0; head < config.heads + config.kv_heads; ++head) {
    const std::vector<float>& part = head < config.heads ? query : key;
    values.insert(values.end(), part.begin(), part.end());
  }
  return write_vector(layer_name(layer, "qk_norm"),
                      {config.heads + config.kv_heads, 1, config.head_dim}, values);
}

Status WeightsWriter::write_vector(const std::string& name, std::vector<uint64_t> shape,
                                   const std::vector<float>& values) {
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(values.begin(), values.end(), finite)) {
    return fail(Code::kCorrupt, "bake: " + name + " holds NaN or infinity; get the source again");
  }
  summarize("norms", {.type = StoredType::kF32},
            {.rows = 1, .columns = values.size(), .padded_columns = values.size()});
  if (Status written =
          write_blob(name, StoredType::kF32, std::move(shape), std::as_bytes(std::span(values)));
      !written) {
    return written;
  }
  return note_progress(values.size() * sizeof(float));
}

Status WeightsWriter::write_blob(const std::string& name, StoredType type,
                                 std::vector<uint64_t> shape, std::span<const std::byte> bytes) {
  if (Status aligned = file_.align(kAlignment); !aligned) return aligned;
  stored_.blobs[name] = {
      .type = type, .shape = std::move(shape), .offset = file_.bytes(), .bytes = bytes.size()};
  return file_.append(bytes);
}

Status WeightsWriter::note_progress(uint64_t bytes) {
  source_bytes_done_ += bytes;
  if (!progress_ || progress_(source_bytes_done_)) return ok();
  return fail(Code::kInterrupted, "bake: interrupted; nothing was written");
}

void WeightsWriter::summarize(const char* role, const MatrixFormat& format,
                              const StoredMatrix& matrix) {
  const bool whole_row = format.group == matrix.padded_columns;
  const int32_t group = whole_row ? -1 : static_cast<int32_t>(format.group);
  const auto same = [&](const WeightsInfo& info) {
    return info.role == role && info.type == name_of(format.type) && info.group_size == group;
  };
  auto found = std::find_if(summary_.begin(), summary_.end(), same);
  if (found == summary_.end()) {
    summary_.push_back({.role = role,
                        .type = name_of(format.type),
                        .group_size = group,
                        .symmetric = !format.has_zeros});
    found = std::prev(summary_.end());
  }
  const RowBytes bytes = row_bytes(format, matrix.padded_columns);
  found->tensors += 1;
  found->parameters += matrix.rows * matrix.columns;
  found->bytes += matrix.rows * (bytes.values + bytes.scales + bytes.zeros);
}

}  // namespace ovenbird
