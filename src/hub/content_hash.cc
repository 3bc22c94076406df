// SHA-256, or git's hash of a blob, by OpenSSL.
#include "hub/content_hash.h"

#include <openssl/evp.h>

#include <array>
#include <utility>

namespace ovenbird {

struct ContentHash::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  bool works = false;  // OpenSSL fails without memory only; then nothing is right
  ~State() { EVP_MD_CTX_free(context); }

  void add(const void* bytes, size_t count) {
    works = works && EVP_DigestUpdate(context, bytes, count) == 1;
  }
};

ContentHash::ContentHash(std::string etag, uint64_t size) : etag_(std::move(etag)), size_(size) {
  const bool is_hex = etag_.find_first_not_of("0123456789abcdef") == etag_.npos;
  if (!is_hex || (etag_.size() != 64 && etag_.size() != 40)) return;
  const bool is_git = etag_.size() == 40;
  state_ = std::make_unique<State>();
  const EVP_MD* digest = is_git ? EVP_sha1() : EVP_sha256();
  state_->works = EVP_DigestInit_ex(state_->context, digest, nullptr) == 1;
  if (!is_git) return;
  const std::string header = "blob " + std::to_string(size);
  state_->add(header.c_str(), header.size() + 1);  // git ends it with a zero
}
ContentHash::~ContentHash() = default;
ContentHash::ContentHash(ContentHash&&) noexcept = default;
ContentHash& ContentHash::operator=(ContentHash&&) noexcept = default;

void ContentHash::add(std::span<const std::byte> bytes) {
  added_ += bytes.size();
  if (state_) state_->add(bytes.data(), bytes.size());
}

bool ContentHash::is_right() {
  if (!state_) return added_ == size_;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  if (!state_->works || EVP_DigestFinal_ex(state_->context, digest.data(), &length) != 1) {
    return false;
  }
  for (unsigned i = 0; i < length; ++i) {
    found_ += "0123456789abcdef"[digest[i] >> 4];
    found_ += "0123456789abcdef"[digest[i] & 15];
  }
  return added_ == size_ && found_ == etag_;
}

}  // namespace ovenbird
