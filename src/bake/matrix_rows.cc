// Rows of a stored matrix from the tensors that they come from, on all processors.
#include "bake/matrix_rows.h"

#include <algorithm>
#include <atomic>
#include <span>
#include <thread>

namespace ovenbird {
namespace {

constexpr uint64_t kRowsAtATime = 8;

/// Runs `work(first, last)` over [0, count) on all processors, each taking a few rows at a time:
/// none waits long for one that other work has slowed down.
template <typename Work>
void in_parallel(uint64_t count, const Work& work) {
  std::atomic<uint64_t> next = 0;
  const auto take_rows = [&] {
    for (uint64_t first; (first = next.fetch_add(kRowsAtATime)) < count;) {
      work(first, std::min(first + kRowsAtATime, count));
    }
  };
  const uint64_t portions = (count + kRowsAtATime - 1) / kRowsAtATime;
  const uint64_t threads = std::min<uint64_t>(std::thread::hardware_concurrency(), portions);
  std::vector<std::jthread> others;
  for (uint64_t thread = 1; thread < threads; ++thread) others.emplace_back(take_rows);
  take_rows();
}

bool is_kept(const Band& band, const MatrixFormat& format) {
  return std::all_of(band.begin(), band.end(),
                     [&](const Tensor* tensor) { return format == lossless_format(tensor->type); });
}

/// One row of the matrix; `weights` is room for its columns.
bool convert_row(const Band& band, const MatrixFormat& format, const ErrorFeedback* feedback,
                 uint64_t row, std::span<float> weights, const RowSink& out) {
  for (size_t index = 0; index < band.size(); ++index) {
    const Tensor& tensor = *band[index];
    dequantize(tensor.type, tensor.row(row),
               weights.subspan(index * tensor.columns, tensor.columns));
  }
  if (!is_kept(band, format)) {
    return feedback ? feedback->round(format, weights, out).has_value()
                    : quantize_row(format, weights, out);
  }
  const RowBytes bytes = row_bytes(format, band[0]->columns);
  for (size_t index = 0; index < band.size(); ++index) {
    const Tensor& tensor = *band[index];
    const RowSink part{.values = out.values.subspan(index * bytes.values, bytes.values),
                       .scales = out.scales.subspan(index * bytes.scales, bytes.scales),
                       .zeros = out.zeros.subspan(index * bytes.zeros, bytes.zeros)};
    const auto kept = weights.subspan(index * tensor.columns, tensor.columns);
    if (!keep_row(tensor.type, tensor.row(row), kept, part)) return false;
  }
  return true;
}

}  // namespace

uint64_t columns_of(const Band& band) { return band.size() * band[0]->columns; }

std::optional<uint64_t> convert_rows(const Band& band, const StoredMatrix& matrix,
                                     const ErrorFeedback* feedback, uint64_t first,
                                     const RowSink& sink) {
  const RowBytes bytes = row_bytes(matrix.format, matrix.padded_columns);
  const uint64_t count = sink.values.size() / bytes.values;
  std::vector<uint8_t> good(count);
  in_parallel(count, [&](uint64_t from, uint64_t to) {
    std::vector<float> weights(columns_of(band));
    for (uint64_t row = from; row < to; ++row) {
      const RowSink out{.values = sink.values.subspan(row * bytes.values, bytes.values),
                        .scales = sink.scales.subspan(row * bytes.scales, bytes.scales),
                        .zeros = sink.zeros.subspan(row * bytes.zeros, bytes.zeros)};
      good[row] = convert_row(band, matrix.format, feedback, first + row, weights, out);
    }
  });
  const auto bad = std::find(good.begin(), good.end(), 0);
  if (bad == good.end()) return std::nullopt;
  return first + static_cast<uint64_t>(bad - good.begin());
}

}  // namespace ovenbird
