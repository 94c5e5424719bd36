#include "finetune/objectives/picture_features.h"

#include <utility>
#include <vector>

#include "models/vision/vision_family.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {

PictureFeatures::PictureFeatures(const LoadedModel& loaded, const PixelLimits& limits, int64_t most_bytes)
    : reader_(loaded.pictures), model_(loaded.model), limits_(limits), most_bytes_(most_bytes) {}

PictureFeatures::Changing PictureFeatures::changing(const Adapter* adapter) const {
  Changing found;
  for (const std::shared_ptr<ModelTensor>& tensor : model_->tensors()) {
    if (!tensor->trained && !(adapter && adapter->at(tensor->linear))) continue;
    const ModelPart part = part_of(reader_->config(), tensor->name);
    found.tower |= part == ModelPart::kTower;
    found.projector |= part == ModelPart::kProjector || part == ModelPart::kOther;
  }
  return found;
}

// -> null where there is no room left. The first pictures stay: of those that are used in turn, epoch by epoch, some
// are then always there.
const PictureFeatures::Kept* PictureFeatures::keep(std::string key, Kept kept) {
  const auto bytes = static_cast<int64_t>(kept.values.size() * sizeof(float));
  if (bytes_ + bytes > most_bytes_) return nullptr;
  bytes_ += bytes;
  return &kept_.emplace(std::move(key), std::move(kept)).first->second;
}

Tensor PictureFeatures::features(const FilePicture& picture, const Adapter* adapter, const Changing& changing) {
  if (changing.tower) {
    const auto prepared = read_picture(picture, *reader_, limits_);
    return prepared->project(prepared->see(adapter), adapter);
  }
  const bool finished = !changing.projector;
  std::string key = picture.layout.identity + (finished ? " features" : " seen");
  const auto found = kept_.find(key);
  const Kept* kept = found == kept_.end() ? nullptr : &found->second;
  std::optional<Kept> computed;
  if (!kept) {
    const auto prepared = read_picture(picture, *reader_, limits_);
    const Tape::Paused nothing_is_trained;
    Tensor values = prepared->see(nullptr);
    if (finished) values = prepared->project(values, nullptr);
    computed.emplace(Kept{prepared->without_pixels(), std::move(values)});
    kept = keep(std::move(key), *computed);
    if (!kept) kept = &*computed;
  }
  return finished ? kept->values : kept->picture.project(kept->values, adapter);
}

void PictureFeatures::see(TrainingBatch& batch) {
  if (batch.pictures.empty()) return;
  HEARTH_CHECK(reader_ != nullptr);
  const Changing parts = changing(batch.pictures.front().adapter);
  EmbeddedRows& embedded = batch.batch.embedded;
  std::vector<Tensor> features;
  embedded.rows.clear();
  for (const TrainingBatch::Seen& seen : batch.pictures) {
    HEARTH_CHECK(seen.adapter == batch.pictures.front().adapter);
    features.push_back(this->features(*seen.picture, seen.adapter, parts));
    embedded.rows.insert(embedded.rows.end(), seen.rows.begin(), seen.rows.end());
  }
  embedded.values = ops::join_rows(features);
}

}  // namespace hearth
