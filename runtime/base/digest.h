// Cryptographic hashes: SHA-256, and the other by which a model hub names content, git's blob id
// (SHA-1 over "blob <size>\0" and the bytes).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace hearth {

class Digest {
 public:
  static Digest sha256();
  static Digest git_blob(uint64_t size);
  ~Digest();
  Digest(Digest&& other) noexcept;
  Digest& operator=(Digest&&) = delete;

  void update(std::string_view bytes);
  std::string hex();  // ends the digest

 private:
  explicit Digest(void* context) : context_(context) {}
  void* context_;  // EVP_MD_CTX
};

// Reads the file in pieces.
std::string file_sha256(const std::filesystem::path& path);
std::string file_git_blob(const std::filesystem::path& path);

}  // namespace hearth
