// POST /v1/chat/completions. All that can be refused is refused before the headers go out; a stream's headers and first
// chunks go out as soon as the request is admitted, also when it waits.
#include "server/api_error.h"
#include "server/app.h"
#include "server/chat_answers.h"
#include "server/ids.h"
#include "server/json_reader.h"
#include "server/logprobs_json.h"
#include "server/routes/handlers.h"
#include "server/sse.h"
#include "server/stored/owner.h"
#include "server/stored/stored_completion.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPingEvery = std::chrono::seconds(15);

Json chat_logprobs(const std::vector<TextLogprob>& tokens) {
  return {{"content", logprobs_json(tokens)}, {"refusal", nullptr}};
}

Json calls_json(const std::vector<ChatMessage::Call>& calls) {
  Json out = Json::array();
  for (const ChatMessage::Call& call : calls)
    out.push_back(
        {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  return out;
}

// `legacy`: as the field function_call, which is older than tool_calls.
Json message_json(const ChatMessage& message, bool legacy) {
  Json out = {{"role", "assistant"}, {"content", message.text}, {"refusal", nullptr}};
  if (!message.reasoning.empty()) out["reasoning_content"] = out["reasoning"] = message.reasoning;
  if (message.calls.empty()) return out;
  if (message.text.empty()) out["content"] = nullptr;
  if (legacy)
    out["function_call"] = {{"name", message.calls[0].name}, {"arguments", message.calls[0].arguments}};
  else
    out["tool_calls"] = calls_json(message.calls);
  return out;
}

// One request's answers as OpenAI's objects.
class ChatReply {
 public:
  ChatReply(const ServedModel& model, const ChatRequest& request, std::unique_ptr<ChatAnswers> answers,
            StoredCompletion stored)
      : answers_(std::move(answers)),
        with_logprobs_(request.generation.top_logprobs >= 0),
        with_usage_(request.generation.include_usage),
        legacy_(request.conversation.legacy_functions),
        stored_(std::move(stored)) {
    head_ = {{"id", random_id("chatcmpl-")},
             {"object", request.generation.stream ? "chat.completion.chunk" : "chat.completion"},
             {"created", std::time(nullptr)},
             {"model", model.id},
             {"system_fingerprint", model.fingerprint}};
  }

  Reply whole(Client* client) {
    const std::shared_ptr<void> watch = answers_->watch(client);
    const Json reply = completion(answers_->whole());
    stored_.keep(reply);
    return json_reply(reply);
  }

  void stream(Client* client, BodyWriter& body) {
    const std::shared_ptr<void> watch = answers_->watch(client);
    SseWriter writer(body);
    try {
      write_chunks(writer);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCancelled) writer.event(error_object(error));
    }
    answers_->cancel();  // what a failed write or another answer's error left
  }

 private:
  Json completion(const std::vector<ChatMessage>& messages) const {
    Json choices = Json::array();
    for (const ChatMessage& message : messages) {
      choices.push_back({{"index", choices.size()},
                         {"message", message_json(message, legacy_)},
                         {"logprobs", with_logprobs_ ? chat_logprobs(message.logprobs) : Json()},
                         {"finish_reason", reason_of(message.finish_reason)}});
    }
    Json reply = head_;
    reply["object"] = "chat.completion";
    reply["choices"] = std::move(choices);
    reply["usage"] = usage_json(answers_->usage());
    return reply;
  }

  void write_chunks(SseWriter& writer) {
    std::vector<ChatMessage> messages(answers_->size());
    for (size_t i = 0; i < answers_->size(); ++i)
      if (!writer.event(chunk(i, {{"role", "assistant"}, {"content", ""}}, nullptr))) return;
    while (!answers_->finished()) {
      const std::optional<ChatPiece> piece = answers_->next(kPingEvery);
      if (!piece ? !writer.ping() : !write_piece(writer, *piece)) return;
      if (piece && stored_.is_wanted()) messages[piece->answer].take(*piece);
    }
    if (stored_.is_wanted()) stored_.keep(completion(messages));
    if (with_usage_) {
      Json last = head_;
      last["choices"] = Json::array();
      last["usage"] = usage_json(answers_->usage());
      if (!writer.event(last)) return;
    }
    writer.done();
  }

  bool write_piece(SseWriter& writer, const ChatPiece& piece) const {
    if (piece.kind == ChatPiece::Kind::kFinished)
      return writer.event(chunk(piece.answer, Json::object(), reason_of(piece.finish_reason)));
    if (legacy_ && piece.call > 0) return true;  // there is room for one
    Json out = chunk(piece.answer, delta(piece), nullptr);
    if (with_logprobs_ && piece.kind == ChatPiece::Kind::kText)
      out["choices"][0]["logprobs"] = chat_logprobs(piece.logprobs);
    return writer.event(out);
  }

  std::string reason_of(std::string_view reason) const {
    return legacy_ && reason == "tool_calls" ? "function_call" : std::string(reason);
  }

  Json delta(const ChatPiece& piece) const {
    if (piece.kind == ChatPiece::Kind::kText) return {{"content", piece.text}};
    if (piece.kind == ChatPiece::Kind::kReasoning)
      return {{"reasoning_content", piece.text}, {"reasoning", piece.text}};
    if (legacy_ && piece.kind == ChatPiece::Kind::kCall)
      return {{"function_call", {{"name", piece.text}, {"arguments", ""}}}};
    if (legacy_) return {{"function_call", {{"arguments", piece.text}}}};
    Json call = {{"index", piece.call}};
    if (piece.kind == ChatPiece::Kind::kCall) {  // id and name once, for clients put the pieces of each key together
      call["id"] = piece.call_id;
      call["type"] = "function";
      call["function"] = {{"name", piece.text}, {"arguments", ""}};
    } else {
      call["function"] = {{"arguments", piece.text}};
    }
    return {{"tool_calls", Json::array({std::move(call)})}};
  }

  Json chunk(size_t index, Json delta, const Json& finish_reason) const {
    Json out = head_;
    Json choice = {
        {"index", index}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", finish_reason}};
    out["choices"] = Json::array({std::move(choice)});
    if (with_usage_) out["usage"] = nullptr;
    return out;
  }

  std::unique_ptr<ChatAnswers> answers_;
  bool with_logprobs_, with_usage_, legacy_;
  StoredCompletion stored_;
  Json head_;  // what every object of this request has
};

}  // namespace

Reply handle_chat_completions(const Request& request, App& app) {
  const Json json = parse_json(request.body);
  const ChatRequest body = read_chat_request(JsonReader(json));
  StoredCompletion stored(JsonReader(json), app.find_stored_answers(), owner_of(request));
  const std::shared_ptr<ServedModel> model = app.model_for_generation(body.model, request.client);
  auto answers = std::make_unique<ChatAnswers>(body, model, app, request.received);
  auto reply = std::make_shared<ChatReply>(*model, body, std::move(answers), std::move(stored));
  if (!body.generation.stream) return reply->whole(request.client);
  return sse_reply([reply, client = request.client](BodyWriter& writer) { reply->stream(client, writer); });
}

}  // namespace hearth
