#include "server/keys/api_key.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr std::string_view kPrefix = "hearth_";
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kRandomCharacters = 40, kMaxNameLength = 64;

}  // namespace

KeyDigest digest_of(std::string_view text) {
  KeyDigest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

std::string to_hex(const KeyDigest& digest) { return fmt::format("{:02x}", fmt::join(digest, "")); }

std::optional<KeyDigest> digest_from_hex(std::string_view hex) {
  KeyDigest digest;
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  for (size_t i = 0; i < digest.size(); ++i) {
    const char* at = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, digest[i], 16);
    if (error != std::errc() || end != at + 2) return std::nullopt;
  }
  return digest;
}

std::string random_key_text() {
  // Bytes from the largest multiple of 62 on are drawn again, or the first characters would be more likely.
  constexpr unsigned kFair = 256 / kAlphabet.size() * kAlphabet.size();
  std::string text(kPrefix);
  while (text.size() < kPrefix.size() + kRandomCharacters) {
    unsigned char byte = 0;
    if (RAND_bytes(&byte, 1) != 1) throw internal_error("the system's random source failed");
    if (byte < kFair) text += kAlphabet[byte % kAlphabet.size()];
  }
  return text;
}

void check_key_name(std::string_view name) {
  const bool plain = std::ranges::all_of(
      name, [](char c) { return kAlphabet.find(c) != std::string_view::npos || c == '.' || c == '_' || c == '-'; });
  if (!plain || name.empty() || name.size() > kMaxNameLength)
    throw invalid_argument("a key's name is '{}', must have 1 to {} letters, digits, '.', '_' and '-'", name,
                           kMaxNameLength);
}

}  // namespace hearth
