#include "server/chat_answers.h"

#include <utility>

#include "server/answer_grammar.h"
#include "server/app.h"
#include "server/ids.h"
#include "server/prompt.h"

namespace hearth {
namespace {

using Kind = ChatPiece::Kind;

constexpr auto kTurn = std::chrono::seconds(15);

// Without tools, what looks like a call is text; gpt-oss and functionary write their text between the same marks.
MessageFormat format_of(const ServedModel& model, const ConversationFields& conversation) {
  MessageFormat format = model.messages;
  if (conversation.tools.is_null() && format.calls != nullptr && format.calls->body != CallBody::kHarmony &&
      format.calls->text_name.empty())
    format.calls = nullptr;
  return format;
}

std::string call_id(const ServedModel& model, const MessagePiece& piece) {
  if (!piece.id.empty()) return piece.id;
  return model.messages.calls->short_ids ? random_id("").substr(0, 9) : random_id("call_");
}

}  // namespace

void ChatMessage::take(const ChatPiece& piece) {
  switch (piece.kind) {
    case Kind::kReasoning:
      reasoning += piece.text;
      break;
    case Kind::kText:
      text += piece.text;
      logprobs.insert(logprobs.end(), piece.logprobs.begin(), piece.logprobs.end());
      break;
    case Kind::kCall:
      calls.push_back({piece.call_id, piece.text, ""});
      break;
    case Kind::kArguments:
      calls.back().arguments += piece.text;
      break;
    case Kind::kFinished:
      finish_reason = piece.finish_reason;
      stop = piece.stop;
      break;
  }
}

ChatAnswers::ChatAnswers(ChatRequest request, std::shared_ptr<ServedModel> model, App& app,
                         std::chrono::steady_clock::time_point received)
    : model_(std::move(model)) {
  if (!request.generation.ignore_eos)
    for (const std::string& word : model_->loaded.stop_strings) request.generation.stop.push_back(word);
  ConversationPrompt prompt = prompt_of(*model_, request.conversation, app);
  const MessageFormat format = format_of(*model_, request.conversation);
  GenerationInputs inputs{.prompts = {std::move(prompt.token_ids)},
                          .pictures = std::move(prompt.pictures),
                          .prompt_param = "messages",
                          .grammar = answer_grammar(*model_, request, prompt.text),
                          .shown_tokens = mark_tokens(*model_->loaded.tokenizer, format, model_->mark_tokens)};
  generation_ = std::make_unique<Generation>(model_, request.generation, std::move(inputs),
                                             app.metrics().model(model_->id), received);
  for (size_t i = 0; i < generation_->size(); ++i)
    parsers_.emplace_back(format, request.conversation.tools, prompt.text);
}

std::optional<ChatPiece> ChatAnswers::next(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (ready_.empty() && !generation_->finished()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::optional<Generation::Event> event = generation_->next(std::max(left, std::chrono::milliseconds(0)));
    if (!event) return std::nullopt;
    take(*event);
  }
  if (ready_.empty()) return std::nullopt;
  ChatPiece piece = std::move(ready_.front());
  ready_.pop_front();
  return piece;
}

void ChatAnswers::take(const Generation::Event& next) {
  const TextEvent& event = next.event;
  MessageParser& parser = parsers_[next.index];
  if (event.kind == TextEvent::Kind::kText) {
    if (parser.is_reasoning()) reasoning_tokens_ += event.tokens;
    give(next.index, parser.push(event.text), event.logprobs);
  }
  if (event.kind != TextEvent::Kind::kFinished) return;
  const bool ended = event.finish_reason == FinishReason::kStop;
  give(next.index, parser.finish(ended), {});
  const std::string_view reason =
      ended && parser.complete_calls() > 0 ? "tool_calls" : finish_reason_name(event.finish_reason);
  ready_.push_back({.kind = Kind::kFinished, .answer = next.index, .finish_reason = reason, .stop = event.stop});
}

void ChatAnswers::give(size_t answer, std::vector<MessagePiece> pieces, std::vector<TextLogprob> logprobs) {
  constexpr Kind kKinds[] = {Kind::kReasoning, Kind::kText, Kind::kCall, Kind::kArguments};  // as MessagePiece's
  for (MessagePiece& piece : pieces) {
    ChatPiece& out = ready_.emplace_back();
    out.kind = kKinds[static_cast<size_t>(piece.kind)];
    out.answer = answer;
    out.call = piece.call;
    if (out.kind == Kind::kCall) out.call_id = call_id(*model_, piece);
    out.text = std::move(piece.text);
    if (out.kind == Kind::kText) out.logprobs = std::exchange(logprobs, {});
  }
}

TokenUsage ChatAnswers::usage() const {
  TokenUsage usage = generation_->usage();
  usage.reasoning = reasoning_tokens_;
  return usage;
}

std::vector<ChatMessage> ChatAnswers::whole() {
  std::vector<ChatMessage> messages(size());
  while (!finished())
    if (const std::optional<ChatPiece> piece = next(kTurn)) messages[piece->answer].take(*piece);
  return messages;
}

}  // namespace hearth
