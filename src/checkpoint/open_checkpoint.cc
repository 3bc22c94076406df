// Opens whatever the path holds, and makes every error one line.
#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/message_text.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/sources.h"

namespace ovenbird {
namespace {

Result<std::unique_ptr<Checkpoint>> open_any(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return open_hugging_face(path);
  auto file = MappedFile::open(path);
  if (!file) return Failure{file.error()};
  return open_gguf(*std::move(file));
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::filesystem::path& path) {
  auto opened = open_any(path);
  if (opened) return opened;
  return fail(opened.error().code,
              one_line("open checkpoint " + path.string() + ": " + opened.error().message));
}

ElementType main_type(const std::vector<Tensor>& tensors) {
  std::array<size_t, static_cast<size_t>(ElementType::kQ6_K) + 1> bytes{};
  for (const Tensor& tensor : tensors) {
    bytes[static_cast<size_t>(tensor.type)] += tensor.bytes.size();
  }
  return static_cast<ElementType>(std::max_element(bytes.begin(), bytes.end()) - bytes.begin());
}

}  // namespace ovenbird
