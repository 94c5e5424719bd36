#include "models/vision/picture_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

bool begins_word(std::string_view text) {
  size_t end = 0;
  return !text.empty() && text[0] != '<' && !utf8::is_space(utf8::decode(text, end));
}

void space_words_behind(const std::string& placeholder, PromptSegment& segment) {
  std::string& text = segment.text;
  if (segment.kind != PromptSegment::Kind::kText || utf8::find_invalid(text) != std::string::npos) return;
  for (size_t at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at)) {
    const size_t begin = std::exchange(at, at + placeholder.size());
    const auto spells_it = [&](const ByteRange& range) { return range.begin < at && begin < range.end; };
    if (std::ranges::any_of(segment.literal, spells_it) || !begins_word(std::string_view(text).substr(at))) continue;
    text.insert(at, 1, ' ');
    for (ByteRange& range : segment.literal)
      if (range.begin >= at) range = {range.begin + 1, range.end + 1};
  }
}

}  // namespace

PreparedPicture::PreparedPicture(std::shared_ptr<const VisionModel> model, const VisionConfig& config,
                                 const Tokenizer& tokenizer, ProcessedImage image, std::string identity)
    : model_(std::move(model)),
      image_(std::move(image)),
      identity_(std::move(identity)),
      token_ids_(find_vision_family(config.family)->tokens(config, image_, tokenizer)),
      joins_pictures_(find_vision_family(config.family)->joins_pictures) {
  if (const auto grid = find_vision_family(config.family)->grid) grid_ = grid(config, image_);
  for (size_t i = 0; i < token_ids_.size(); ++i)
    if (token_ids_[i] == config.image_token_id) feature_rows_.push_back(static_cast<int>(i));
}

Tensor PreparedPicture::features(const Adapter* adapter) const {
  HEARTH_CHECK(model_ != nullptr);
  Tensor features = model_->features(image_, adapter);
  HEARTH_CHECK(features.rows() == static_cast<int64_t>(feature_rows_.size()));
  return features;
}

std::shared_ptr<const PreparedPicture> PictureReader::prepare(const Image& image) const {
  Digest digest = Digest::sha256();
  digest.update(fmt::format("{}x{}:", image.width, image.height));
  digest.update({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
  return std::make_shared<PreparedPicture>(model_, *config_, *tokenizer_, (*processor_)(image), digest.hex());
}

void PictureReader::prepare(std::vector<PromptSegment>& segments) const {
  if (!find_vision_family(config_->family)->spaces_words) return;
  for (PromptSegment& segment : segments) space_words_behind(tokenizer_->token_text(placeholder()), segment);
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
