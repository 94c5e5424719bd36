#include "runtime/engine/picture_store.h"

#include <limits>

#include "runtime/base/error.h"

namespace hearth {

TokenId PictureStore::id_of(const Picture& picture) {
  constexpr size_t kMostIds = 100'000;
  if (const auto found = ids_.find(picture.layout().identity); found != ids_.end()) return found->second;
  if (ids_.size() >= kMostIds) ids_.clear();  // what comes again gets another id and is computed again
  if (last_id_ == std::numeric_limits<TokenId>::min()) throw resource_exhausted("no ids are left for pictures");
  return ids_[picture.layout().identity] = --last_id_;
}

Tensor PictureStore::features(const Picture& picture, const Adapter* adapter) {
  Key key{picture.layout().identity, adapter ? adapter->number : 0};
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    kept_.splice(kept_.begin(), kept_, found->second);
    return found->second->features;
  }
  Tensor features = picture.features(adapter);
  bytes_ += features.size() * sizeof(float);
  kept_.push_front({key, features});
  by_key_[std::move(key)] = kept_.begin();
  while (bytes_ > most_bytes_ && kept_.size() > 1) {
    bytes_ -= kept_.back().features.size() * sizeof(float);
    by_key_.erase(kept_.back().key);
    kept_.pop_back();
  }
  return features;
}

}  // namespace hearth
