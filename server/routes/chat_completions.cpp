// POST /v1/chat/completions. All that can be refused is refused before the headers go out; a stream's headers and first
// chunks go out as soon as the request is admitted, also when it waits.
#include "server/api_error.h"
#include "server/app.h"
#include "server/generation.h"
#include "server/ids.h"
#include "server/json_reader.h"
#include "server/prompt.h"
#include "server/routes/handlers.h"
#include "server/sse.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPingEvery = std::chrono::seconds(15);

Json token_json(const TokenText& token) {
  Json bytes = Json::array();
  for (const char byte : token.bytes) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", token.text}, {"logprob", json_logprob(token.logprob)}, {"bytes", std::move(bytes)}};
}

Json logprobs_json(const std::vector<TextLogprob>& tokens) {
  Json content = Json::array();
  for (const TextLogprob& token : tokens) {
    Json entry = token_json(token.token);
    entry["top_logprobs"] = Json::array();
    for (const TokenText& top : token.top) entry["top_logprobs"].push_back(token_json(top));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

// One request's answers as OpenAI's objects.
class ChatReply {
 public:
  ChatReply(const ServedModel& model, const GenerationFields& fields, std::shared_ptr<Generation> generation)
      : generation_(std::move(generation)),
        with_logprobs_(fields.top_logprobs >= 0),
        with_usage_(fields.include_usage) {
    head_ = {{"id", random_id("chatcmpl-")},
             {"object", fields.stream ? "chat.completion.chunk" : "chat.completion"},
             {"created", std::time(nullptr)},
             {"model", model.id},
             {"system_fingerprint", model.fingerprint}};
  }

  Reply whole(Client* client) {
    const std::shared_ptr<void> watch = generation_->watch(client);
    std::vector<std::string> texts(generation_->size());
    std::vector<std::vector<TextLogprob>> logprobs(generation_->size());
    std::vector<std::string_view> reasons(generation_->size());
    while (!generation_->finished()) {
      std::optional<Generation::Event> next = generation_->next(kPingEvery);
      if (!next) continue;
      auto& [index, event] = *next;
      texts[index] += event.text;
      std::move(event.logprobs.begin(), event.logprobs.end(), std::back_inserter(logprobs[index]));
      if (event.kind == TextEvent::Kind::kFinished) reasons[index] = finish_reason_name(event.finish_reason);
    }
    Json choices = Json::array();
    for (size_t i = 0; i < texts.size(); ++i) {
      choices.push_back({{"index", i},
                         {"message", {{"role", "assistant"}, {"content", texts[i]}, {"refusal", nullptr}}},
                         {"logprobs", with_logprobs_ ? logprobs_json(logprobs[i]) : Json()},
                         {"finish_reason", reasons[i]}});
    }
    Json reply = head_;
    reply["choices"] = std::move(choices);
    reply["usage"] = generation_->usage();
    return json_reply(reply);
  }

  void stream(Client* client, BodyWriter& body) {
    const std::shared_ptr<void> watch = generation_->watch(client);
    SseWriter writer(body);
    try {
      write_chunks(writer);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCancelled) writer.event(error_object(error));
    }
    generation_->cancel();  // what a failed write or another answer's error left
  }

 private:
  void write_chunks(SseWriter& writer) {
    for (size_t i = 0; i < generation_->size(); ++i)
      if (!writer.event(chunk(i, {{"role", "assistant"}, {"content", ""}}, nullptr))) return;
    while (!generation_->finished()) {
      const std::optional<Generation::Event> next = generation_->next(kPingEvery);
      if (!next ? !writer.ping() : !write_event(writer, *next)) return;
    }
    if (with_usage_) {
      Json last = head_;
      last["choices"] = Json::array();
      last["usage"] = generation_->usage();
      if (!writer.event(last)) return;
    }
    writer.done();
  }

  bool write_event(SseWriter& writer, const Generation::Event& next) const {
    const TextEvent& event = next.event;
    if (event.kind == TextEvent::Kind::kFinished)
      return writer.event(chunk(next.index, Json::object(), std::string(finish_reason_name(event.finish_reason))));
    if (event.kind != TextEvent::Kind::kText) return true;
    Json out = chunk(next.index, {{"content", event.text}}, nullptr);
    if (with_logprobs_) out["choices"][0]["logprobs"] = logprobs_json(event.logprobs);
    return writer.event(out);
  }

  Json chunk(size_t index, Json delta, const Json& finish_reason) const {
    Json out = head_;
    Json choice = {
        {"index", index}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", finish_reason}};
    out["choices"] = Json::array({std::move(choice)});
    if (with_usage_) out["usage"] = nullptr;
    return out;
  }

  std::shared_ptr<Generation> generation_;
  bool with_logprobs_, with_usage_;
  Json head_;  // what every object of this request has
};

}  // namespace

Reply handle_chat_completions(const Request& request, App& app) {
  ChatRequest body = read_chat_request(JsonReader(parse_json(request.body)));
  const std::shared_ptr<ServedModel> model = app.model_for_generation(body.model, request.client);
  if (!body.generation.ignore_eos)
    for (const std::string& word : model->loaded.stop_strings) body.generation.stop.push_back(word);
  GenerationInputs inputs{.prompts = {prompt_of(*model, body.conversation).token_ids}, .prompt_param = "messages"};
  auto generation = std::make_shared<Generation>(model, body.generation, std::move(inputs),
                                                 app.metrics().model(model->id), request.received);
  auto reply = std::make_shared<ChatReply>(*model, body.generation, std::move(generation));
  if (!body.generation.stream) return reply->whole(request.client);
  return sse_reply([reply, client = request.client](BodyWriter& writer) { reply->stream(client, writer); });
}

}  // namespace hearth
