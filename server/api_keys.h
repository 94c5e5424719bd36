// Which key a request came with: those of the configuration, which may do everything, and those of a KeyStore. Only
// digests are kept and all of them are compared in constant time, so that neither memory nor timing tells a key.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/keys/key_store.h"

namespace hearth {

class ApiKeys {
 public:
  // `store` may be null and otherwise outlives it.
  explicit ApiKeys(const std::vector<std::string>& configured, KeyStore* store = nullptr);

  // True as soon as there is a key or was one, valid or not.
  bool required() const;
  // The key of the header Authorization, "Bearer KEY", or that of x-api-key, as Anthropic's clients send it; null where
  // both are missing or wrong, revoked or expired.
  std::shared_ptr<const ApiKey> find(std::optional<std::string_view> authorization,
                                     std::optional<std::string_view> x_api_key = std::nullopt) const;

 private:
  std::shared_ptr<const ApiKey> find_text(std::string_view text) const;

  std::shared_ptr<const KeyStore::Keys> configured_;  // named configured#1, which no key of a store can be
  KeyStore* store_;
};

}  // namespace hearth
