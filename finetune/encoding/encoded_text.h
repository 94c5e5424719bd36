// Token ids with the pictures among them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "finetune/encoding/tokenized_example.h"

namespace hearth {

struct EncodedText {
  std::vector<TokenId> ids;
  std::vector<ExamplePicture> pictures = {};  // in the order of their ids

  int size() const { return static_cast<int>(ids.size()); }
  bool empty() const { return ids.empty(); }
  void append(const EncodedText& other);
  // Leaves the first `size` ids. Throws kInvalidArgument for a picture of which not all is left: a part of one shows
  // nothing. `needed` is the cutoff_len with which nothing would be cut.
  void cut(int size, int needed);
  // Takes the place of each placeholder: what stands for the next of `pictures`, from number `next` on, which moves on.
  // Of two side by side that join, the last token of one is the first of the other. Throws kInvalidArgument where there
  // are more placeholders than pictures.
  void place(std::span<const std::shared_ptr<const FilePicture>> pictures, TokenId placeholder, size_t& next);
};

// Appends other's, whose first id becomes number `begin`.
void append_pictures(const std::vector<ExamplePicture>& other, int begin, std::vector<ExamplePicture>& pictures);

}  // namespace hearth
