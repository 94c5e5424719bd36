// An API key as the daemon knows it: never its text, only its SHA-256 and its last characters, by which people tell
// keys apart. A text has 40 random characters of 62 (238 bits), so its digest needs neither salt nor a slow hash.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/keys/scope.h"
#include "server/state/clock.h"

namespace hearth {

using KeyDigest = std::array<unsigned char, 32>;  // SHA-256

struct ApiKey {
  std::string name;
  KeyDigest digest = {};
  std::string ending = {};  // the text's last 4 characters
  Scopes scopes = {};
  std::optional<int> requests_per_minute = {};  // empty: what the configuration says; 0: as many as it likes
  int64_t created_at = 0;                       // unix milliseconds, as all of these
  std::optional<int64_t> expires_at = {}, revoked_at = {}, last_used_at = {};

  bool is_valid(int64_t now) const { return !revoked_at && (!expires_at || now < *expires_at); }
};

KeyDigest digest_of(std::string_view text);
std::string to_hex(const KeyDigest& digest);
// Nothing when it is not 64 hexadecimal digits.
std::optional<KeyDigest> digest_from_hex(std::string_view hex);

// "hearth_" and 40 characters of the system's random source.
std::string random_key_text();

// Names go into logs and lists: 1 to 64 of A-Z a-z 0-9 . _ -. Throws kInvalidArgument.
void check_key_name(std::string_view name);

}  // namespace hearth
