#include "finetune/encoding/encoded_text.h"

#include <algorithm>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {

void append_pictures(const std::vector<ExamplePicture>& other, int begin, std::vector<ExamplePicture>& pictures) {
  for (const ExamplePicture& one : other) pictures.push_back({begin + one.begin, one.picture});
}

void EncodedText::append(const EncodedText& other) {
  append_pictures(other.pictures, size(), pictures);
  ids.insert(ids.end(), other.ids.begin(), other.ids.end());
}

void EncodedText::cut(int size, int needed) {
  if (!pictures.empty() && pictures.back().end() > size)
    throw invalid_argument(
        "cutoff_len would cut into an image, or leave it out of its turn: the whole example needs cutoff_len: {}",
        needed);
  ids.resize(static_cast<size_t>(std::min(size, this->size())));
}

void EncodedText::place(std::span<const std::shared_ptr<const FilePicture>> from, TokenId placeholder, size_t& next) {
  std::vector<TokenId> placed;
  for (const TokenId id : ids) {
    if (id != placeholder) {
      placed.push_back(id);
      continue;
    }
    if (next == from.size())
      throw invalid_argument("its text has more places for images than it has images, which are {}", from.size());
    const std::shared_ptr<const FilePicture>& picture = from[next++];
    const bool is_behind_another = !pictures.empty() && pictures.back().end() == static_cast<int>(placed.size());
    if (is_behind_another && picture->joins) placed.pop_back();
    pictures.push_back({static_cast<int>(placed.size()), picture});
    placed.insert(placed.end(), picture->token_ids.begin(), picture->token_ids.end());
  }
  ids = std::move(placed);
}

}  // namespace hearth
