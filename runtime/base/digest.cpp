#include "runtime/base/digest.h"

#include <fstream>
#include <vector>

#include <openssl/evp.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

void* start(const EVP_MD* algorithm) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  if (!context || EVP_DigestInit_ex(context, algorithm, nullptr) != 1) {
    EVP_MD_CTX_free(context);
    throw internal_error("OpenSSL does not start a digest");
  }
  return context;
}

std::string file_hex(const std::filesystem::path& path, Digest digest) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw not_found("{}: cannot open", path.string());
  std::vector<char> buffer(size_t{1} << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    digest.update({buffer.data(), static_cast<size_t>(file.gcount())});
  if (file.bad()) throw unavailable("{}: cannot read", path.string());
  return digest.hex();
}

}  // namespace

Digest Digest::sha256() { return Digest(start(EVP_sha256())); }

Digest Digest::git_blob(uint64_t size) {
  Digest digest(start(EVP_sha1()));
  digest.update(fmt::format("blob {}", size));
  digest.update(std::string_view("\0", 1));
  return digest;
}

Digest::~Digest() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

Digest::Digest(Digest&& other) noexcept : context_(other.context_) { other.context_ = nullptr; }

void Digest::update(std::string_view bytes) {
  if (EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) != 1)
    throw internal_error("OpenSSL does not digest");
}

std::string Digest::hex() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), bytes, &size) != 1)
    throw internal_error("OpenSSL does not digest");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

std::string file_sha256(const std::filesystem::path& path) { return file_hex(path, Digest::sha256()); }

std::string file_git_blob(const std::filesystem::path& path) {
  return file_hex(path, Digest::git_blob(std::filesystem::file_size(path)));
}

}  // namespace hearth
