// The bytes of every token, in one block: 150,000 strings without 150,000 allocations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ovenbird {

/// A list of byte strings. At most 4 GiB in all; callers check against limits first.
class TokenTable {
 public:
  TokenTable() = default;
  /// Takes ready parts: ends[i] is where string i ends in `bytes`; ascending, the last is its size.
  TokenTable(std::string bytes, std::vector<uint32_t> ends)
      : bytes_(std::move(bytes)), ends_(std::move(ends)) {}

  void push_back(std::string_view text) {
    bytes_ += text;
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }

  size_t size() const { return ends_.size(); }

  std::string_view operator[](size_t index) const {
    const uint32_t first = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(bytes_).substr(first, ends_[index] - first);
  }

  const std::string& bytes() const { return bytes_; }
  const std::vector<uint32_t>& ends() const { return ends_; }

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_;
};

}  // namespace ovenbird
