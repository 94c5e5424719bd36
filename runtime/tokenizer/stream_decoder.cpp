#include "runtime/tokenizer/stream_decoder.h"

#include <algorithm>
#include <utility>

namespace hearth {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(&tokenizer),
      rules_(tokenizer.decode_rules()),
      skip_special_(skip_special),
      output_(std::make_unique<Output>()) {
  for (auto step = rules_.steps.rbegin(); step != rules_.steps.rend(); ++step)
    stages_.push_back((*step)->start(stages_.empty() ? *output_ : *stages_.back()));
}

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special, std::vector<TokenId> shown)
    : StreamDecoder(*tokenizer, skip_special) {
  shown_ = std::move(shown);
  owner_ = std::move(tokenizer);
}

std::string StreamDecoder::push(TokenId id) {
  if (!tokenizer_->has_token(id)) return {};
  if (skip_special_ && tokenizer_->is_special(id)) {
    if (std::ranges::find(shown_, id) == shown_.end()) return {};
    // What is held back of the text before cannot go on behind it.
    return finish() + tokenizer_->token_text(id);
  }
  DecodeStage& first = stages_.empty() ? *output_ : *stages_.back();
  first.push(tokenizer_->decoder_text(id));
  return std::exchange(output_->text, {});
}

std::string StreamDecoder::finish() {
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) (*stage)->finish();
  return std::exchange(output_->text, {});
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  StreamDecoder decoder(*this, skip_special);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

}  // namespace hearth
