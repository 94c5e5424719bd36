// From an engine's stream of tokens to text: whole UTF-8 characters, stop strings (held back while they may still
// complete, across tokens), and log-probabilities that arrive together with the text of their tokens. Used by
// chat completions, completions and the terminal chat.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine/stream.h"
#include "runtime/tokenizer/stream_decoder.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

// A token as the API shows it.
struct TokenText {
  std::string text = {};  // valid UTF-8: bytes that are no character on their own are U+FFFD; control tokens as spelled
  std::string bytes = {};  // what it adds to the text, exactly
  float logprob = 0;
};

struct TextLogprob {
  TokenText token;
  std::vector<TokenText> top;  // likeliest first
  size_t text_offset = 0;      // where the token begins in the answer, in characters (Unicode code points)
};

// Code points of valid UTF-8.
size_t count_characters(std::string_view text);
TokenText describe_token(const Tokenizer& tokenizer, TokenId id, float logprob);

struct TextStreamOptions {
  std::vector<std::string> stop = {};  // none empty; the answer ends before the first of them
  int min_tokens = 0;                  // stop strings are not looked for before so many tokens
  bool logprobs = false;
  std::vector<TokenId> shown_tokens = {};  // control tokens that are part of the text
};

struct TextEvent {
  enum class Kind { kPrompt, kText, kFinished } kind = Kind::kText;
  std::vector<TokenOutput> prompt = {};                             // kPrompt: one for every prompt token but the first
  std::string text = {};                                            // kText
  int tokens = 0;                                                   // kText: drawn since the last one
  std::vector<TextLogprob> logprobs = {};                           // kText: of the tokens that begin in it
  FinishReason finish_reason = FinishReason::kStop;                 // kFinished
  std::string error = {};                                           // kFinished with kError: one line
  std::string stop = {};                                            // kFinished: the stop string that ended it
  int prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;  // kFinished
  float reward = 0;                                                 // kFinished with kLength: of a reward model
  double queue_seconds = 0;                                         // kFinished: from submit to the first step
  std::chrono::steady_clock::time_point time{};                     // when the engine had its last token
};

class TextStream {
 public:
  TextStream(std::shared_ptr<Stream> stream, std::shared_ptr<const Tokenizer> tokenizer,
             TextStreamOptions options = {});
  // Cancels what is not finished.
  ~TextStream();
  TextStream(TextStream&&) noexcept = default;
  TextStream& operator=(TextStream&&) = delete;

  // The next event, or nothing when none came in time; kPrompt, then kText, then kFinished once and last. One reader.
  std::optional<TextEvent> next(std::chrono::milliseconds timeout);
  // The sequence is dropped within one step; kFinished with kCancelled still comes. Any thread.
  void cancel() { stream_->cancel(); }

 private:
  struct HeldToken {
    TextLogprob logprob = {};
    size_t begin;  // of its text, in bytes of the whole answer
  };
  void take_token(const TokenOutput& token);
  void take_text(const std::string& text);
  void finish(const StreamEvent& event);
  void release(size_t end, bool everything);

  std::shared_ptr<Stream> stream_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  StreamDecoder decoder_;
  TextStreamOptions options_;
  std::string held_;               // decoded and not yet released
  size_t released_ = 0;            // bytes of the answer before held_
  size_t decoded_characters_ = 0;  // in all
  std::deque<HeldToken> held_tokens_;
  std::deque<TextEvent> ready_;
  std::chrono::steady_clock::time_point last_time_{};
  int tokens_ = 0, told_tokens_ = 0;
  std::optional<int> stopped_at_;  // tokens drawn when a stop string was found
  std::string stopped_by_;         // that stop string
  bool finished_ = false;
};

}  // namespace hearth
