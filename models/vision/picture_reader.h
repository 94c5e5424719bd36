// From pictures to what stands for them in a prompt.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/images/image.h"
#include "models/vision/image_processor.h"
#include "models/vision/vision_family.h"
#include "runtime/picture.h"
#include "templates/prompt_segment.h"

namespace hearth {

// A picture as a model reads it. Holds its pixels, and the part of the model that sees.
class PreparedPicture : public Picture {
 public:
  PreparedPicture(std::shared_ptr<const VisionModel> model, const VisionConfig& config, const Tokenizer& tokenizer,
                  ProcessedImage image, std::string identity);
  const std::vector<TokenId>& token_ids() const { return token_ids_; }  // all its rows
  bool joins_pictures() const { return joins_pictures_; }               // see VisionFamily
  const PictureLayout& layout() const override { return layout_; }
  Tensor features(const Adapter* adapter) const override { return project(see(adapter), adapter); }
  // The two steps of which features are made (VisionModel). Recorded where a tape records and something of them is
  // trained.
  Tensor see(const Adapter* adapter) const;
  Tensor project(const Tensor& seen, const Adapter* adapter) const;
  // Can project what was seen before, and no more.
  PreparedPicture without_pixels() const;

 private:
  std::shared_ptr<const VisionModel> model_;
  ProcessedImage image_;
  std::vector<TokenId> token_ids_;
  PictureLayout layout_;
  bool joins_pictures_;
};

class PictureReader {
 public:
  // `model`: null without weights; its pictures then have no features.
  PictureReader(std::shared_ptr<const VisionConfig> config, std::unique_ptr<const ImageProcessor> processor,
                std::shared_ptr<const Tokenizer> tokenizer, std::shared_ptr<const VisionModel> model)
      : config_(std::move(config)),
        processor_(std::move(processor)),
        tokenizer_(std::move(tokenizer)),
        model_(std::move(model)) {}

  // Any thread. Throws kInvalidArgument for a picture that the model's processor refuses.
  std::shared_ptr<const PreparedPicture> prepare(const Image& image) const;
  TokenId placeholder() const;  // in a prompt that was prepared
  // What the model's family changes of a prompt with pictures before it is tokenised.
  void prepare(std::vector<PromptSegment>& segments) const;
  const VisionConfig& config() const { return *config_; }

 private:
  std::shared_ptr<const VisionConfig> config_;
  std::unique_ptr<const ImageProcessor> processor_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const VisionModel> model_;
};

// A prompt in which each placeholder has become its picture's tokens. Pictures side by side can share a token.
struct PicturedPrompt {
  std::vector<TokenId> token_ids;
  std::vector<PlacedPicture> pictures;
};
// Throws kInvalidArgument when there are not as many placeholders as pictures.
PicturedPrompt place_pictures(std::span<const TokenId> ids, TokenId placeholder,
                              std::span<const std::shared_ptr<const PreparedPicture>> pictures);

}  // namespace hearth
