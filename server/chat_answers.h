// What a model answers in a conversation, piece by piece: its reasoning, its text and its calls of tools, told apart.
// /v1/chat/completions, /v1/responses and /v1/messages are three ways to write these pieces down.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/generation.h"
#include "server/openai_types.h"
#include "server/served_model.h"
#include "templates/tool_parsers/message_parser.h"

namespace hearth {

class App;

struct ChatPiece {
  enum class Kind { kReasoning, kText, kCall, kArguments, kFinished };
  Kind kind = Kind::kText;
  size_t answer = 0;                       // of the request's n
  std::string text = {};                   // more of the reasoning, text or arguments; kCall: the function's name
  size_t call = 0;                         // kCall, kArguments: of the answer's calls, which come one after another
  std::string call_id = {};                // kCall
  std::vector<TextLogprob> logprobs = {};  // kText
  std::string_view finish_reason = {};     // kFinished, once and last: "stop", "length" or "tool_calls"
  std::string stop = {};                   // kFinished: the stop string that ended it, if one did
};

// One answer, whole.
struct ChatMessage {
  struct Call {
    std::string id, name, arguments;  // JSON as the model wrote it
  };
  std::string reasoning = {}, text = {};
  std::vector<Call> calls = {};
  std::vector<TextLogprob> logprobs = {};
  std::string_view finish_reason = {};
  std::string stop = {};  // the stop string that ended it, if one did

  void take(const ChatPiece& piece);
};

class ChatAnswers {
 public:
  // Renders the prompt and submits every answer or none; throws for whatever can be refused (Generation).
  ChatAnswers(ChatRequest request, std::shared_ptr<ServedModel> model, App& app,
              std::chrono::steady_clock::time_point received);

  // The next piece of any answer; nothing when none came in time or all have finished. Throws what failed.
  std::optional<ChatPiece> next(std::chrono::milliseconds timeout);
  bool finished() const { return ready_.empty() && generation_->finished(); }
  // Thread-safe.
  void cancel() { generation_->cancel(); }
  std::shared_ptr<void> watch(Client* client) { return generation_->watch(client); }
  // Waits for all of them.
  std::vector<ChatMessage> whole();

  size_t size() const { return generation_->size(); }
  TokenUsage usage() const;  // complete once finished
  const ServedModel& model() const { return *model_; }

 private:
  void take(const Generation::Event& next);
  void give(size_t answer, std::vector<MessagePiece> pieces, std::vector<TextLogprob> logprobs);

  std::shared_ptr<ServedModel> model_;
  std::unique_ptr<Generation> generation_;
  std::vector<MessageParser> parsers_;  // one an answer
  int reasoning_tokens_ = 0;
  std::deque<ChatPiece> ready_;
};

}  // namespace hearth
