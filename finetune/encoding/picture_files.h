// Pictures of examples: files. Encoding needs what stands for them in a prompt; every step what they show.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "finetune/spec/train_spec.h"
#include "models/vision/picture_reader.h"
#include "runtime/picture.h"

namespace hearth {

// LLaMA-Factory's _preprocess_image of a family's plugin, but that the picture is RGB and upright before it is resized.
Image within_limits(Image image, const PixelLimits& limits, std::string_view family);

struct FilePicture {
  std::string path;
  PictureLayout layout;
  std::vector<TokenId> token_ids = {};  // that stand for it
  bool joins = false;                   // VisionFamily::joins_pictures
};

// Throws kInvalidArgument or kNotFound for a file that is no picture or that the model's processor refuses, and
// kFailedPrecondition for one that has changed.
std::shared_ptr<const PreparedPicture> read_picture(const FilePicture& picture, const PictureReader& reader,
                                                    const PixelLimits& limits);

// Each file is looked at once. Any thread.
class PictureFiles {
 public:
  PictureFiles(std::shared_ptr<const PictureReader> reader, const PixelLimits& limits)
      : reader_(std::move(reader)), limits_(limits) {}

  // Throws kInvalidArgument or kNotFound as read_picture.
  std::shared_ptr<const FilePicture> describe(const std::string& path);
  const PictureReader& reader() const { return *reader_; }

 private:
  std::shared_ptr<const PictureReader> reader_;
  PixelLimits limits_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const FilePicture>> known_;
};

}  // namespace hearth
