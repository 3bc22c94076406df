// Which tensors go into the weights file, in which format and order.
#include "bake/weights_writer.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <utility>

#include "bake/layer_groups.h"
#include "bake/matrix_rows.h"
#include "bake/quantize.h"
#include "bake/source_weights.h"
#include "base/check.h"
#include "checkpoint/weight_names.h"

namespace ovenbird {
namespace {

constexpr uint64_t kAlignment = 64;  // bytes; a cache line, and what OpenVINO asks for
constexpr uint64_t kRowsAtOnceBytes = 16
                                      << 20;  // f32 bytes of the rows that are converted together

}  // namespace

std::string layer_name(uint32_t layer, const char* part) {
  return "layers." + std::to_string(layer) + "." + part;
}

Failure interrupted() { return fail(Code::kInterrupted, "bake: interrupted; nothing was written"); }

WeightsWriter::WeightsWriter(const Checkpoint& checkpoint, const BakeOptions& options,
                             WeightSink& sink, BakeProgress progress)
    : checkpoint_(checkpoint), options_(options), sink_(sink), progress_(std::move(progress)) {}

Result<StoredWeights> WeightsWriter::write() {
  const WeightChoice tables = options_.embedding.value_or(
      has_four_bits(options_.weights) ? WeightChoice::kInt8 : options_.weights);
  if (Status done = write_group({"embedding", {Weight::kEmbedding}}, tables, "embedding"); !done) {
    return Failure{done.error()};
  }
  for (uint32_t layer = 0; layer < checkpoint_.config().layers; ++layer) {
    if (Status done = layers_ ? layers_(layer, *this) : write_layer(layer); !done) {
      return Failure{done.error()};
    }
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
  if (Status done = write_layer_norms(layer); !done) return done;
  for (const auto& [part, members] : kLayerGroups) {
    const MatrixGroup group{layer_name(layer, part), members, layer};
    if (Status done = write_group(group, choice_of(layer, part), "layers"); !done) return done;
    if (Status done = write_biases(group, "_bias"); !done) return done;
  }
  if (!checkpoint_.config().layer(layer).has_experts) return ok();
  return write_group({layer_name(layer, "router"), {Weight::kRouter}, layer}, router_choice(),
                     "routers");
}

Status WeightsWriter::write_layer_norms(uint32_t layer) {
  const std::pair<const char*, Weight> norms[] = {
      {"attention_norm", Weight::kAttentionNorm},
      {"attention_post_norm", Weight::kAttentionPostNorm},
      {"mlp_norm", Weight::kMlpNorm},
      {"mlp_post_norm", Weight::kMlpPostNorm}};
  for (const auto& [part, weight] : norms) {
    if (!checkpoint_.find(weight, layer)) continue;
    if (Status done = write_norm(layer_name(layer, part), weight, layer); !done) return done;
  }
  switch (checkpoint_.config().query_key_norm) {
    case QueryKeyNorm::kNone:
      return ok();
    case QueryKeyNorm::kEachHead:
      return write_query_key_norm(layer);
    case QueryKeyNorm::kAllHeads:
      break;
  }
  const Status done = write_norm(layer_name(layer, "query_norm"), Weight::kQueryNorm, layer);
  return done ? write_norm(layer_name(layer, "key_norm"), Weight::kKeyNorm, layer) : done;
}

WeightChoice WeightsWriter::choice_of(uint32_t layer, std::string_view part) const {
  if (!has_four_bits(options_.weights)) return options_.weights;
  if (options_.f16_layers.contains(layer, part)) return WeightChoice::kF16;
  if (options_.int8_layers.contains(layer, part)) return WeightChoice::kInt8;
  return options_.weights;
}

/// Routers are small, and a wrong choice of experts costs more than a coarse weight.
WeightChoice WeightsWriter::router_choice() const {
  const bool is_coarse = has_four_bits(options_.weights) || options_.weights == WeightChoice::kInt8;
  return is_coarse ? WeightChoice::kF16 : options_.weights;
}

Status WeightsWriter::append_layer(const WeightsWriter& other, std::span<const std::byte> bytes) {
  if (Status aligned = sink_.align(kAlignment); !aligned) return aligned;
  for (auto [name, blob] : other.stored_.blobs) {
    blob.offset += sink_.bytes();
    stored_.blobs[name] = std::move(blob);
  }
  stored_.matrices.insert(other.stored_.matrices.begin(), other.stored_.matrices.end());
  for (const WeightsInfo& info : other.summary_) add_to_summary(info);
  if (Status done = sink_.append(bytes); !done) return done;
  return note_progress(other.source_bytes_done_);
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
    case WeightChoice::kNf4:
      break;
  }
  OVENBIRD_CHECK(!is_table);
  const int32_t group = options_.group_size.value_or(kDefaultGroup);
  const uint64_t columns =
      group == -1 ? (tensor.columns + 1) / 2 * 2 : static_cast<uint64_t>(group);
  const StoredType plain = choice == WeightChoice::kNf4 ? StoredType::kNf4 : StoredType::kI4;
  return {.type = options_.asymmetric ? StoredType::kU4 : plain,
          .group = columns,
          .has_zeros = options_.asymmetric};
}

/// The members' rows below one another; experts' downs side by side, so that one product with all
/// experts' rows sums them up.
std::vector<Band> WeightsWriter::bands_of(const MatrixGroup& group) const {
  std::vector<Band> bands;
  for (const Weight weight : group.members) {
    const uint32_t count = count_in_layer(checkpoint_.config(), weight, group.layer);
    for (uint32_t expert = 0; expert < count; ++expert) {
      const Tensor* tensor = checkpoint_.find(weight, group.layer, expert);
      OVENBIRD_CHECK(tensor);  // open_checkpoint has seen to it
      const bool is_beside = weight == Weight::kDown && expert > 0;
      if (is_beside) {
        bands.back().push_back(tensor);
      } else {
        bands.push_back({tensor});
      }
    }
  }
  return bands;
}

Status WeightsWriter::write_group(const MatrixGroup& group, WeightChoice choice, const char* role) {
  struct Run {
    std::vector<Band> bands;
    MatrixFormat format;
  };
  std::vector<Run> runs;
  for (Band& band : bands_of(group)) {
    const MatrixFormat format = format_of(choice, *band[0], group.members[0] == Weight::kEmbedding);
    if (runs.empty() || !(runs.back().format == format)) runs.push_back({{}, format});
    runs.back().bands.push_back(std::move(band));
  }
  if (runs.size() == 1) return write_matrix(group.name, runs[0].bands, runs[0].format, role);
  for (size_t index = 0; index < runs.size(); ++index) {
    const std::string name = group.name + "." + std::to_string(index);
    const Status done = write_matrix(name, runs[index].bands, runs[index].format, role);
    if (!done) return done;
  }
  return ok();
}

Status WeightsWriter::write_matrix(const std::string& name, const std::vector<Band>& bands,
                                   const MatrixFormat& format, const char* role) {
  StoredMatrix matrix{.format = format, .columns = columns_of(bands[0])};
  const uint64_t group = std::max<uint64_t>(format.group, 1);
  matrix.padded_columns = (matrix.columns + group - 1) / group * group;
  for (const Band& band : bands) matrix.rows += band[0]->rows;

  if (Status aligned = sink_.align(kAlignment); !aligned) return aligned;
  const RowBytes bytes = row_bytes(format, matrix.padded_columns);
  const bool one_group = format.group == 0 || format.group == matrix.padded_columns;
  const uint64_t groups = format.group ? matrix.padded_columns / format.group : 0;
  stored_.blobs[name + ".values"] = {
      .type = format.type,
      .shape = one_group ? std::vector<uint64_t>{matrix.rows, matrix.padded_columns}
                         : std::vector<uint64_t>{matrix.rows, groups, format.group},
      .offset = sink_.bytes(),
      .bytes = matrix.rows * bytes.values};
  const ErrorFeedback* feedback = nullptr;
  if (feedback_ && bits_of(format.type) == 4 && feedback_->contains(name)) {
    feedback = &feedback_->at(name);
  }
  std::vector<std::byte> scales;
  std::vector<std::byte> zeros;
  for (const Band& band : bands) {
    if (Status done = write_rows(band, matrix, feedback, scales, zeros); !done) return done;
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

Status WeightsWriter::write_rows(const Band& band, const StoredMatrix& matrix,
                                 const ErrorFeedback* feedback, std::vector<std::byte>& scales,
                                 std::vector<std::byte>& zeros) {
  const RowBytes bytes = row_bytes(matrix.format, matrix.padded_columns);
  const uint64_t at_once = std::max<uint64_t>(kRowsAtOnceBytes / (matrix.padded_columns * 4), 1);
  const uint64_t rows = band[0]->rows;
  std::vector<std::byte> values;
  std::vector<std::byte> converted;
  std::future<Status> appended;  // `converted`, while the next rows are at work
  for (uint64_t first = 0; first < rows; first += at_once) {
    const uint64_t count = std::min(at_once, rows - first);
    values.resize(count * bytes.values);
    const size_t scales_before = scales.size();
    const size_t zeros_before = zeros.size();
    scales.resize(scales_before + count * bytes.scales);
    zeros.resize(zeros_before + count * bytes.zeros);
    const auto bad = convert_rows(
        band, matrix, feedback, first,
        {values, std::span(scales).subspan(scales_before), std::span(zeros).subspan(zeros_before)});
    if (bad) {
      return fail(Code::kCorrupt, "bake: tensor " + band[0]->name + ": row " +
                                      std::to_string(*bad) + " holds NaN, infinity or more than " +
                                      name_of(matrix.format.type) +
                                      " can; get the source again, or use --weights f32");
    }
    if (appended.valid()) {
      if (Status done = appended.get(); !done) return done;
    }
    values.swap(converted);
    appended = std::async(std::launch::async, [&] { return sink_.append(converted); });
    const uint64_t source_bytes = count * band.size() * band[0]->row_bytes();
    if (Status noted = note_progress(source_bytes); !noted) return noted;
  }
  if (Status done = appended.get(); !done) return done;
  for (const Tensor* tensor : band) checkpoint_.release(*tensor);
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
  const std::vector<float> values = read_norm(*tensor);
  return write_vector(name, {1, 1, values.size()}, values);
}

std::vector<float> WeightsWriter::read_norm(const Tensor& tensor) const {
  std::vector<float> values = read_vector(tensor);
  for (float& value : values) value += checkpoint_.config().norm_offset;
  return values;
}

Status WeightsWriter::write_query_key_norm(uint32_t layer) {
  const ModelConfig& config = checkpoint_.config();
  const std::vector<float> query = read_norm(*checkpoint_.find(Weight::kQueryNorm, layer));
  const std::vector<float> key = read_norm(*checkpoint_.find(Weight::kKeyNorm, layer));
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
  if (Status aligned = sink_.align(kAlignment); !aligned) return aligned;
  stored_.blobs[name] = {
      .type = type, .shape = std::move(shape), .offset = sink_.bytes(), .bytes = bytes.size()};
  return sink_.append(bytes);
}

Status WeightsWriter::note_progress(uint64_t bytes) {
  source_bytes_done_ += bytes;
  if (!progress_ || progress_(source_bytes_done_)) return ok();
  return interrupted();
}

void WeightsWriter::summarize(const char* role, const MatrixFormat& format,
                              const StoredMatrix& matrix) {
  const bool whole_row = format.group == matrix.padded_columns;
  const RowBytes bytes = row_bytes(format, matrix.padded_columns);
  add_to_summary({.role = role,
                  .type = name_of(format.type),
                  .group_size = whole_row ? -1 : static_cast<int32_t>(format.group),
                  .symmetric = !format.has_zeros,
                  .tensors = 1,
                  .parameters = matrix.rows * matrix.columns,
                  .bytes = matrix.rows * (bytes.values + bytes.scales + bytes.zeros)});
}

void WeightsWriter::add_to_summary(const WeightsInfo& info) {
  const auto same = [&](const WeightsInfo& other) {
    return other.role == info.role && other.type == info.type &&
           other.group_size == info.group_size;
  };
  const auto found = std::find_if(summary_.begin(), summary_.end(), same);
  if (found == summary_.end()) {
    summary_.push_back(info);
    return;
  }
  found->tensors += info.tensors;
  found->parameters += info.parameters;
  found->bytes += info.bytes;
}

}  // namespace ovenbird
