// Where the daemon's keys come from besides its configuration: the state database, or a list of a test.
#pragma once

#include <memory>
#include <vector>

#include "server/keys/api_key.h"

namespace hearth {

class KeyStore {
 public:
  using Keys = std::vector<ApiKey>;
  virtual ~KeyStore() = default;
  // Revoked and expired ones too: a daemon that ever had a key asks for one. Called for every request, from many
  // threads; what it returns never changes.
  virtual std::shared_ptr<const Keys> keys() const = 0;
  // A request came with it. As often and from as many threads.
  virtual void used(const ApiKey& key) = 0;
};

}  // namespace hearth
