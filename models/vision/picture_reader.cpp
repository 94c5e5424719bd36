#include "models/vision/picture_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "models/prompt.h"
#include "models/vision/picture_places.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace hearth {

PreparedPicture::PreparedPicture(std::shared_ptr<const VisionModel> model, const VisionConfig& config,
                                 const Tokenizer& tokenizer, ProcessedImage image, std::string identity)
    : model_(std::move(model)),
      image_(std::move(image)),
      token_ids_(find_vision_family(config.family)->tokens(config, image_, tokenizer)),
      joins_pictures_(find_vision_family(config.family)->joins_pictures) {
  layout_.identity = std::move(identity);
  if (const auto grid = find_vision_family(config.family)->grid) layout_.grid = grid(config, image_);
  for (size_t i = 0; i < token_ids_.size(); ++i)
    if (token_ids_[i] == config.image_token_id) layout_.feature_rows.push_back(static_cast<int>(i));
}

Tensor PreparedPicture::see(const Adapter* adapter) const {
  HEARTH_CHECK(model_ && !image_.tiles.front().pixels.empty());
  return model_->see(image_, adapter);
}

Tensor PreparedPicture::project(const Tensor& seen, const Adapter* adapter) const {
  HEARTH_CHECK(model_ != nullptr);
  Tensor features = model_->project(seen, image_, adapter);
  HEARTH_CHECK(features.rows() == static_cast<int64_t>(layout_.feature_rows.size()));
  return features;
}

PreparedPicture PreparedPicture::without_pixels() const {
  PreparedPicture out = *this;
  for (PixelTile& tile : out.image_.tiles) tile.pixels = {};
  return out;
}

std::shared_ptr<const PreparedPicture> PictureReader::prepare(const Image& image) const {
  Digest digest = Digest::sha256();
  digest.update(fmt::format("{}x{}:", image.width, image.height));
  digest.update({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
  return std::make_shared<PreparedPicture>(model_, *config_, *tokenizer_, (*processor_)(image), digest.hex());
}

TokenId PictureReader::placeholder() const {
  const bool is_text = find_vision_family(config_->family)->place == PicturePlace::kText;
  return is_text ? kPicturePlaceholder : config_->image_token_id;
}

void PictureReader::prepare(std::vector<PromptSegment>& segments) const {
  const PicturePlace place = find_vision_family(config_->family)->place;
  if (place == PicturePlace::kText) segments = split_at_pictures(segments);
  if (place == PicturePlace::kSpacedToken) space_words_behind(tokenizer_->token_text(placeholder()), segments);
}

PicturedPrompt place_pictures(std::span<const TokenId> ids, TokenId placeholder,
                              std::span<const std::shared_ptr<const PreparedPicture>> pictures) {
  const auto places = static_cast<size_t>(std::ranges::count(ids, placeholder));
  if (places != pictures.size())
    throw invalid_argument("{} pictures were given, and the prompt has places for {}", pictures.size(), places);
  PicturedPrompt prompt;
  bool behind_picture = false;
  for (const TokenId id : ids) {
    const bool joins = std::exchange(behind_picture, id == placeholder);
    if (id != placeholder) {
      prompt.token_ids.push_back(id);
      continue;
    }
    const auto& picture = pictures[prompt.pictures.size()];
    if (joins && picture->joins_pictures()) prompt.token_ids.pop_back();
    prompt.pictures.push_back({static_cast<int>(prompt.token_ids.size()), picture});
    prompt.token_ids.insert(prompt.token_ids.end(), picture->token_ids().begin(), picture->token_ids().end());
  }
  return prompt;
}

}  // namespace hearth
