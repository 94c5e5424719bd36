#include "runtime/tokenizer/stream_decoder.h"

#include "runtime/tokenizer/metaspace.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(&tokenizer),
      rules_(tokenizer.decode_rules()),
      skip_special_(skip_special),
      left_to_strip_(rules_.strip_left) {}

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special)
    : StreamDecoder(*tokenizer, skip_special) {
  owner_ = std::move(tokenizer);
}

std::string StreamDecoder::push(TokenId id) {
  if (!tokenizer_->has_token(id) || (skip_special_ && tokenizer_->is_special(id))) return {};
  std::string bytes = tokenizer_->token_bytes(id);
  std::string out;
  switch (rules_.bytes) {
    case DecodeRules::Bytes::kByteLevel:
      pending_ += bytes;
      pending_.erase(0, utf8::append_lossy(pending_, /*final=*/false, out));
      break;
    case DecodeRules::Bytes::kByteFallback:
      if (tokenizer_->is_byte_fallback(id)) {
        pending_ += bytes;
      } else {
        flush_byte_run(out);
        out += bytes;
      }
      break;
    case DecodeRules::Bytes::kText:
      if (first_ && rules_.first_without_metaspace) bytes = without_metaspace(tokenizer_->token_text(id));
      if (!first_ && rules_.space_between) out += ' ';
      out += bytes;
      break;
  }
  first_ = false;
  strip(out);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out;
  if (rules_.bytes == DecodeRules::Bytes::kByteFallback) {
    flush_byte_run(out);
  } else {
    utf8::append_lossy(pending_, /*final=*/true, out);
    pending_.clear();
  }
  strip(out);
  return out;
}

void StreamDecoder::flush_byte_run(std::string& out) {
  if (utf8::find_invalid(pending_) == std::string_view::npos) {
    out += pending_;
  } else {
    for (size_t i = 0; i < pending_.size(); ++i) out += utf8::kReplacement;
  }
  pending_.clear();
}

void StreamDecoder::strip(std::string& text) {
  size_t drop = 0;
  while (left_to_strip_ > 0 && drop < text.size()) {
    if (text[drop] == rules_.strip_char) {
      ++drop;
      --left_to_strip_;
    } else {
      left_to_strip_ = 0;
    }
  }
  text.erase(0, drop);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  StreamDecoder decoder(*this, skip_special);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

}  // namespace hearth
