#include "server/api_keys.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <openssl/crypto.h>

namespace hearth {
namespace {

constexpr std::string_view kScheme = "bearer ";

// The text behind the scheme, without blanks around it.
std::optional<std::string_view> text_of(std::string_view authorization) {
  const auto same_letter = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a + 32 == b); };
  if (!std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, same_letter)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  while (authorization.ends_with(' ')) authorization.remove_suffix(1);
  return authorization;
}

// Looks at all of them, whichever fits.
const ApiKey* find_in(const KeyStore::Keys& keys, const KeyDigest& digest) {
  const ApiKey* found = nullptr;
  for (const ApiKey& key : keys)
    if (CRYPTO_memcmp(digest.data(), key.digest.data(), digest.size()) == 0) found = &key;
  return found;
}

}  // namespace

ApiKeys::ApiKeys(const std::vector<std::string>& configured, KeyStore* store) : store_(store) {
  KeyStore::Keys keys;
  for (const std::string& text : configured)
    keys.push_back({.name = fmt::format("configured#{}", keys.size() + 1),
                    .digest = digest_of(text),
                    .scopes = Scopes(Scope::kAdmin)});
  configured_ = std::make_shared<const KeyStore::Keys>(std::move(keys));
}

bool ApiKeys::required() const { return !configured_->empty() || (store_ && !store_->keys()->empty()); }

std::shared_ptr<const ApiKey> ApiKeys::find(std::optional<std::string_view> authorization,
                                            std::optional<std::string_view> x_api_key) const {
  const std::optional<std::string_view> bearer = authorization ? text_of(*authorization) : std::nullopt;
  std::shared_ptr<const ApiKey> key = bearer ? find_text(*bearer) : nullptr;
  return key || !x_api_key ? key : find_text(*x_api_key);
}

std::shared_ptr<const ApiKey> ApiKeys::find_text(std::string_view text) const {
  const KeyDigest digest = digest_of(text);
  if (const ApiKey* key = find_in(*configured_, digest)) return {configured_, key};
  if (!store_) return nullptr;
  const std::shared_ptr<const KeyStore::Keys> keys = store_->keys();
  const ApiKey* key = find_in(*keys, digest);
  if (!key || !key->is_valid(unix_milliseconds())) return nullptr;
  store_->used(*key);
  return {keys, key};
}

}  // namespace hearth
