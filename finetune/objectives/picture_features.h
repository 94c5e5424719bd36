// What a model sees in the pictures of batches. While the tower is not trained, what it sees in a picture is computed
// once and kept, as far as there is room; so are the finished features while the projector is not trained either.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "finetune/objectives/collator.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"

namespace hearth {

class PictureFeatures {
 public:
  // `loaded` may be a model that reads text only.
  PictureFeatures(const LoadedModel& loaded, const PixelLimits& limits, int64_t most_bytes);

  // Gives the batch its pictures' features (Batch::embedded), on the tape where one records. Throws kNotFound,
  // kInvalidArgument or kFailedPrecondition for a file that is not as it was when it was encoded.
  void see(TrainingBatch& batch);
  int64_t most_bytes() const { return reader_ ? most_bytes_ : 0; }

 private:
  struct Kept {
    PreparedPicture picture;  // without pixels
    Tensor values;            // of the tower, or features
  };
  // Which parts change while the model trains, or are another adapter's.
  struct Changing {
    bool tower = false, projector = false;
  };

  Changing changing(const Adapter* adapter) const;
  Tensor features(const FilePicture& picture, const Adapter* adapter, const Changing& changing);
  const Kept* keep(std::string key, Kept kept);

  std::shared_ptr<const PictureReader> reader_;
  std::shared_ptr<const LanguageModel> model_;
  PixelLimits limits_;
  int64_t most_bytes_, bytes_ = 0;
  std::unordered_map<std::string, Kept> kept_;  // by the picture's identity, and whether it is finished
};

}  // namespace hearth
