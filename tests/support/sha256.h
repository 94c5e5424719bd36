// The hash of a text in hexadecimal, as fixtures hold what is too long or not ours to commit.
#pragma once

#include <string>

#include <fmt/format.h>
#include <openssl/sha.h>

namespace hearth::test {

inline std::string sha256(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

}  // namespace hearth::test
