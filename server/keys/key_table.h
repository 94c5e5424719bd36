// The table of keys in the state database: `hearth keys` writes it, the daemon reads it and notes when a key was used.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/keys/api_key.h"
#include "server/state/database.h"

namespace hearth {

// All of them, the oldest first.
std::vector<ApiKey> read_keys(Database& database);

// Gives the key a random text, which is stored nowhere, and returns it. `key` brings name, scopes, limit and expiry.
// Throws kAlreadyExists when a key of that name is there and not revoked.
std::string create_key(Database& database, ApiKey key);

// From now on it is as wrong as any other text; it stays in the list. Throws kNotFound with the nearest name.
void revoke_key(Database& database, const std::string& name);

// `times`: unix milliseconds by the key's digest.
void note_use(Database& database, const std::map<KeyDigest, int64_t>& times);

}  // namespace hearth
