// Anthropic's POST /v1/messages and /v1/messages/count_tokens: translations onto the engine of chat completions.
#include "server/anthropic/errors.h"
#include "server/anthropic/message_object.h"
#include "server/anthropic/message_stream.h"
#include "server/anthropic/request.h"
#include "server/app.h"
#include "server/chat_answers.h"
#include "server/json_reader.h"
#include "server/prompt.h"
#include "server/routes/handlers.h"
#include "server/sse.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPingEvery = std::chrono::seconds(15);

// One request's answer as Anthropic's objects.
class MessageReply {
 public:
  MessageReply(std::vector<std::string> stop_sequences, std::unique_ptr<ChatAnswers> answers)
      : stop_sequences_(std::move(stop_sequences)), answers_(std::move(answers)) {}

  Reply whole(Client* client) {
    const std::shared_ptr<void> watch = answers_->watch(client);
    const ChatMessage answer = answers_->whole().front();
    Json message = anthropic::new_message(answers_->model(), answers_->usage());
    message["content"] = anthropic::content_of(answer);
    message.update(anthropic::stop_of(answer.finish_reason, answer.stop, stop_sequences_));
    return json_reply(message);
  }

  void stream(Client* client, const std::string& request_id, BodyWriter& body) {
    const std::shared_ptr<void> watch = answers_->watch(client);
    anthropic::MessageStream events(body);
    try {
      write(events);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCancelled) events.fail(anthropic::error_object(error, request_id));
    }
    answers_->cancel();  // what a failed write left
  }

 private:
  void write(anthropic::MessageStream& events) {
    bool there = events.start(anthropic::new_message(answers_->model(), answers_->usage()));
    while (there && !answers_->finished()) {
      const std::optional<ChatPiece> piece = answers_->next(kPingEvery);
      if (!piece) {
        there = events.ping();
      } else if (piece->kind == ChatPiece::Kind::kFinished) {
        there = events.finish(anthropic::stop_of(piece->finish_reason, piece->stop, stop_sequences_),
                              anthropic::usage_of(answers_->usage()));
      } else {
        there = events.take(*piece);
      }
    }
  }

  std::vector<std::string> stop_sequences_;
  std::unique_ptr<ChatAnswers> answers_;
};

}  // namespace

Reply handle_messages(const Request& request, App& app) {
  anthropic::MessageRequest body = anthropic::read_message_request(JsonReader(parse_json(request.body)));
  const std::shared_ptr<ServedModel> model = app.model_for_generation(body.chat.model, request.client);
  const bool streams = body.chat.generation.stream;
  std::vector<std::string> stop_sequences = body.chat.generation.stop;
  auto answers = body.names.translated(
      [&] { return std::make_unique<ChatAnswers>(std::move(body.chat), model, app, request.received); });
  auto reply = std::make_shared<MessageReply>(std::move(stop_sequences), std::move(answers));
  if (!streams) return anthropic::with_request_id(reply->whole(request.client), request);
  return anthropic::with_request_id(sse_reply([reply, client = request.client, id = request.id](BodyWriter& writer) {
                                      reply->stream(client, id, writer);
                                    }),
                                    request);
}

Reply handle_count_message_tokens(const Request& request, App& app) {
  const anthropic::MessageRequest body = anthropic::read_count_request(JsonReader(parse_json(request.body)));
  const std::shared_ptr<ServedModel> model = app.model(body.chat.model, request.client);
  const ConversationPrompt prompt =
      body.names.translated([&] { return prompt_of(*model, body.chat.conversation, app); });
  Json reply;
  reply["input_tokens"] = prompt.token_ids.size();
  return anthropic::with_request_id(json_reply(reply), request);
}

}  // namespace hearth
