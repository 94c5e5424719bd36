// The pictures of an engine's sequences: what stands for their rows where tokens are compared, and their features,
// which are computed once while they are kept. The inference thread alone touches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/batch.h"
#include "runtime/picture.h"

namespace hearth {

class PictureStore {
 public:
  explicit PictureStore(size_t most_bytes = size_t{256} << 20) : most_bytes_(most_bytes) {}

  // Below 0, the same for pictures of the same content and for no others: in the place of a token it lets a prefix
  // cache, which compares tokens, compare pictures.
  TokenId id_of(const Picture& picture);
  // Kept until others need the room, those used longest ago first.
  Tensor features(const Picture& picture, const Adapter* adapter);

 private:
  using Key = std::pair<std::string, uint64_t>;  // identity, the adapter's number
  struct KeyHash {
    size_t operator()(const Key& key) const { return std::hash<std::string>()(key.first) + key.second; }
  };
  struct Kept {
    Key key;
    Tensor features;
  };

  size_t most_bytes_, bytes_ = 0;
  std::list<Kept> kept_;  // most recently used first
  std::unordered_map<Key, std::list<Kept>::iterator, KeyHash> by_key_;
  std::unordered_map<std::string, TokenId> ids_;
  TokenId last_id_ = -1;
};

}  // namespace hearth
