#include "server/text_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

// How many bytes at the end of `text` may be the beginning of `stop`.
size_t partial_match(std::string_view text, std::string_view stop) {
  for (size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length)
    if (text.ends_with(stop.substr(0, length))) return length;
  return 0;
}

}  // namespace

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

TokenText describe_token(const Tokenizer& tokenizer, TokenId id, float logprob) {
  TokenText token{.logprob = logprob};
  if (!tokenizer.has_token(id)) {  // a row of the model that the vocabulary has no name for
    token.text = token.bytes = fmt::format("<|token {}|>", id);
    return token;
  }
  token.bytes = tokenizer.is_special(id) ? tokenizer.token_text(id) : tokenizer.token_bytes(id);
  utf8::append_lossy(token.bytes, /*final=*/true, token.text);
  return token;
}

TextStream::TextStream(std::shared_ptr<Stream> stream, std::shared_ptr<const Tokenizer> tokenizer,
                       TextStreamOptions options)
    : stream_(std::move(stream)),
      tokenizer_(std::move(tokenizer)),
      decoder_(tokenizer_, /*skip_special=*/true, options.shown_tokens),
      options_(std::move(options)) {}

TextStream::~TextStream() {
  if (stream_ && !finished_) stream_->cancel();
}

std::optional<TextEvent> TextStream::next(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (ready_.empty() && !finished_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::optional<StreamEvent> event = stream_->next(std::max(left, std::chrono::milliseconds(0)));
    if (!event) return std::nullopt;
    last_time_ = event->time;
    switch (event->kind) {
      case StreamEvent::Kind::kPrompt:
        ready_.push_back({.kind = TextEvent::Kind::kPrompt, .prompt = std::move(event->prompt)});
        break;
      case StreamEvent::Kind::kToken:
        if (!stopped_at_) take_token(event->token);
        break;
      case StreamEvent::Kind::kFinished:
        finish(*event);
        break;
    }
  }
  if (ready_.empty()) return std::nullopt;
  TextEvent event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

void TextStream::take_token(const TokenOutput& token) {
  ++tokens_;
  if (options_.logprobs) {
    HeldToken held{.begin = released_ + held_.size()};
    held.logprob.token = describe_token(*tokenizer_, token.id, token.logprob);
    for (const TokenLogprob& top : token.top)
      held.logprob.top.push_back(describe_token(*tokenizer_, top.id, top.logprob));
    held.logprob.text_offset = decoded_characters_;
    held_tokens_.push_back(std::move(held));
  }
  take_text(decoder_.push(token.id));
}

void TextStream::take_text(const std::string& text) {
  held_ += text;
  decoded_characters_ += count_characters(text);
  if (tokens_ <= options_.min_tokens && options_.min_tokens > 0) return release(held_.size(), false);
  size_t found = std::string::npos, keep = 0;
  for (const std::string& stop : options_.stop) {
    if (const size_t at = held_.find(stop); at < found) {
      found = at;
      stopped_by_ = stop;
    }
    keep = std::max(keep, partial_match(held_, stop));
  }
  if (found == std::string::npos) return release(held_.size() - keep, false);
  stopped_at_ = tokens_;
  stream_->cancel();
  held_.resize(found);
  std::erase_if(held_tokens_, [end = released_ + found](const HeldToken& token) { return token.begin >= end; });
  release(found, true);
}

// The first `end` bytes of what is held, with the tokens that begin in them.
void TextStream::release(size_t end, bool everything) {
  TextEvent event;
  event.time = last_time_;
  event.text = held_.substr(0, end);
  held_.erase(0, end);
  released_ += end;
  while (!held_tokens_.empty() && (everything || held_tokens_.front().begin < released_)) {
    event.logprobs.push_back(std::move(held_tokens_.front().logprob));
    held_tokens_.pop_front();
  }
  if (event.text.empty() && event.logprobs.empty()) return;
  event.tokens = tokens_ - std::exchange(told_tokens_, tokens_);
  ready_.push_back(std::move(event));
}

void TextStream::finish(const StreamEvent& finished) {
  if (!stopped_at_) take_text(decoder_.finish());
  release(held_.size(), true);
  TextEvent event{.kind = TextEvent::Kind::kFinished};
  event.finish_reason = stopped_at_ ? FinishReason::kStop : finished.finish_reason;
  event.error = finished.error;
  event.stop = stopped_by_;
  event.prompt_tokens = finished.prompt_tokens;
  event.cached_tokens = finished.cached_tokens;
  event.reward = finished.reward;
  event.queue_seconds = finished.queue_seconds;
  event.time = last_time_;
  event.completion_tokens = stopped_at_.value_or(finished.completion_tokens);
  ready_.push_back(std::move(event));
  finished_ = true;
}

}  // namespace hearth
