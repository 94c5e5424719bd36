#include "server/keys/key_table.h"

#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {

std::vector<ApiKey> read_keys(Database& database) {
  return database.transaction([&](SqlTransaction& sql) {
    std::vector<ApiKey> keys;
    SqlRows rows = sql.query(
        "SELECT name, digest, ending, scopes, requests_per_minute, created_at, expires_at, revoked_at, last_used_at "
        "FROM api_keys ORDER BY sequence");
    while (rows.next()) {
      const std::optional<KeyDigest> digest = digest_from_hex(rows.text(1));
      if (!digest)
        throw data_corruption("{}: key '{}' has no SHA-256; revoke it", database.path().string(), rows.text(0));
      ApiKey key{.name = rows.text(0), .digest = *digest, .ending = rows.text(2), .scopes = parse_scopes(rows.text(3))};
      if (const auto limit = rows.optional_integer(4)) key.requests_per_minute = static_cast<int>(*limit);
      key.created_at = rows.integer(5);
      key.expires_at = rows.optional_integer(6);
      key.revoked_at = rows.optional_integer(7);
      key.last_used_at = rows.optional_integer(8);
      keys.push_back(std::move(key));
    }
    return keys;
  });
}

std::string create_key(Database& database, ApiKey key) {
  check_key_name(key.name);
  std::string text = random_key_text();
  database.transaction([&](SqlTransaction& sql) {
    if (sql.query("SELECT 1 FROM api_keys WHERE name = ? AND revoked_at IS NULL", {key.name}).next())
      throw already_exists("there is a key '{}': revoke it first (`hearth keys revoke {}`) or take another name",
                           key.name, key.name);
    sql.run(
        "INSERT INTO api_keys (name, digest, ending, scopes, requests_per_minute, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        {key.name, to_hex(digest_of(text)), text.substr(text.size() - 4), key.scopes.text(), key.requests_per_minute,
         unix_milliseconds(), key.expires_at});
  });
  return text;
}

void revoke_key(Database& database, const std::string& name) {
  database.transaction([&](SqlTransaction& sql) {
    if (sql.run("UPDATE api_keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL",
                {unix_milliseconds(), name}) > 0)
      return;
    std::vector<std::string> known;
    SqlRows rows = sql.query("SELECT name FROM api_keys WHERE revoked_at IS NULL");
    while (rows.next()) known.push_back(rows.text(0));
    throw not_found("there is no key '{}'{}; `hearth keys list` shows them", name, did_you_mean(name, known));
  });
}

void note_use(Database& database, const std::map<KeyDigest, int64_t>& times) {
  database.transaction([&](SqlTransaction& sql) {
    for (const auto& [digest, time] : times)
      sql.run("UPDATE api_keys SET last_used_at = ? WHERE digest = ?", {time, to_hex(digest)});
  });
}

}  // namespace hearth
