#include "server/chat_answers.h"

#include <utility>

#include "server/app.h"
#include "server/prompt.h"

namespace hearth {
namespace {

using Kind = ChatPiece::Kind;

constexpr auto kTurn = std::chrono::seconds(15);

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
  GenerationInputs inputs{.prompts = {prompt_of(*model_, request.conversation).token_ids}, .prompt_param = "messages"};
  generation_ = std::make_unique<Generation>(model_, request.generation, std::move(inputs),
                                             app.metrics().model(model_->id), received);
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
  if (event.kind == TextEvent::Kind::kText)
    ready_.push_back({.kind = Kind::kText, .answer = next.index, .text = event.text, .logprobs = event.logprobs});
  if (event.kind == TextEvent::Kind::kFinished)
    ready_.push_back({.kind = Kind::kFinished,
                      .answer = next.index,
                      .finish_reason = finish_reason_name(event.finish_reason),
                      .stop = event.stop});
}

std::vector<ChatMessage> ChatAnswers::whole() {
  std::vector<ChatMessage> messages(size());
  while (!finished())
    if (const std::optional<ChatPiece> piece = next(kTurn)) messages[piece->answer].take(*piece);
  return messages;
}

}  // namespace hearth
