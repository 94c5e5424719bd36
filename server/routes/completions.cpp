// POST /v1/completions: several prompts, several answers to each, echo and log-probabilities of prompts. With
// max_tokens 0 and echo it only scores.
#include "server/api_error.h"
#include "server/app.h"
#include "server/generation.h"
#include "server/ids.h"
#include "server/json_reader.h"
#include "server/legacy_logprobs.h"
#include "server/prompt.h"
#include "server/routes/handlers.h"
#include "server/sse.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPingEvery = std::chrono::seconds(15);

std::vector<TokenId> encode(const ServedModel& model, const CompletionRequest::Prompt& prompt) {
  if (const auto* text = std::get_if<std::string>(&prompt)) return encode_completion_prompt(model, *text);
  const std::vector<TokenId>& ids = std::get<std::vector<TokenId>>(prompt);
  if (ids.empty()) return encode_completion_prompt(model, "");
  const int64_t vocab_size = model.loaded.model->dims().vocab_size;
  for (const TokenId id : ids)
    if (id >= vocab_size)
      throw invalid_field(
          "prompt", fmt::format("'prompt': {} is not a token of '{}'; ids are 0 to {}", id, model.id, vocab_size - 1));
  return ids;
}

class CompletionReply {
 public:
  CompletionReply(const ServedModel& model, const CompletionRequest& request,
                  const std::vector<std::vector<TokenId>>& prompts, std::shared_ptr<Generation> generation)
      : generation_(std::move(generation)),
        tokenizer_(model.loaded.tokenizer),
        per_prompt_(static_cast<size_t>(request.generation.n)),
        with_logprobs_(request.generation.top_logprobs >= 0),
        with_usage_(request.generation.include_usage) {
    head_ = {{"id", random_id("cmpl-")},
             {"object", "text_completion"},
             {"created", std::time(nullptr)},
             {"model", model.id},
             {"system_fingerprint", model.fingerprint}};
    for (size_t i = 0; request.echo && i < prompts.size(); ++i)
      echoes_.push_back(echo_prompt(tokenizer_, prompts[i], std::get_if<std::string>(&request.prompts[i])));
  }

  Reply whole(Client* client) {
    const std::shared_ptr<void> watch = generation_->watch(client);
    struct Answer {
      std::string text;
      LegacyLogprobs logprobs;
      std::string_view reason;
    };
    std::vector<Answer> answers(generation_->size());
    for (size_t i = 0; !echoes_.empty() && i < answers.size(); ++i) answers[i].text = echo_of(i).text;
    while (!generation_->finished()) {
      const std::optional<Generation::Event> next = generation_->next(kPingEvery);
      if (!next) continue;
      Answer& answer = answers[next->index];
      answer.text += next->event.text;
      add_logprobs(*next, answer.logprobs);
      if (next->event.kind == TextEvent::Kind::kFinished) answer.reason = finish_reason_name(next->event.finish_reason);
    }
    Json reply = head_;
    reply["choices"] = Json::array();
    for (size_t i = 0; i < answers.size(); ++i)
      reply["choices"].push_back({{"index", i},
                                  {"text", answers[i].text},
                                  {"logprobs", with_logprobs_ ? answers[i].logprobs.json() : Json()},
                                  {"finish_reason", answers[i].reason}});
    reply["usage"] = usage_json(generation_->usage());
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
  const EchoedPrompt& echo_of(size_t answer) const { return echoes_[answer / per_prompt_]; }

  // Those that the event brings: of the prompt, or of the answer.
  void add_logprobs(const Generation::Event& next, LegacyLogprobs& out) const {
    const TextEvent& event = next.event;
    if (event.kind == TextEvent::Kind::kPrompt) {
      const EchoedPrompt& echo = echo_of(next.index);
      out.add_first(echo.tokens.front(), echo.text_offsets.front());
      for (size_t i = 0; i < event.prompt.size(); ++i) {
        TokenText token = echo.tokens[i + 1];
        token.logprob = event.prompt[i].logprob;
        std::vector<TokenText> top;
        for (const TokenLogprob& other : event.prompt[i].top)
          top.push_back(describe_token(*tokenizer_, other.id, other.logprob));
        out.add(token, top, echo.text_offsets[i + 1]);
      }
    }
    const size_t offset = echoes_.empty() ? 0 : echo_of(next.index).characters;
    for (const TextLogprob& token : event.logprobs) out.add(token.token, token.top, offset + token.text_offset);
  }

  void write_chunks(SseWriter& writer) {
    // With log-probabilities the prompt comes when it has been scored.
    for (size_t i = 0; !echoes_.empty() && !with_logprobs_ && i < generation_->size(); ++i)
      if (!writer.event(chunk(i, echo_of(i).text, nullptr, nullptr))) return;
    while (!generation_->finished()) {
      const std::optional<Generation::Event> next = generation_->next(kPingEvery);
      if (!next ? !writer.ping() : !write_event(writer, *next)) return;
    }
    if (with_usage_) {
      Json last = head_;
      last["choices"] = Json::array();
      last["usage"] = usage_json(generation_->usage());
      if (!writer.event(last)) return;
    }
    writer.done();
  }

  bool write_event(SseWriter& writer, const Generation::Event& next) const {
    const TextEvent& event = next.event;
    if (event.kind == TextEvent::Kind::kFinished)
      return writer.event(chunk(next.index, "", nullptr, std::string(finish_reason_name(event.finish_reason))));
    Json logprobs;
    if (with_logprobs_) {
      LegacyLogprobs arrays;
      add_logprobs(next, arrays);
      logprobs = arrays.json();
    }
    const std::string& text = event.kind == TextEvent::Kind::kPrompt ? echo_of(next.index).text : event.text;
    return writer.event(chunk(next.index, text, logprobs, nullptr));
  }

  Json chunk(size_t index, const std::string& text, const Json& logprobs, const Json& finish_reason) const {
    Json out = head_;
    Json choice = {{"index", index}, {"text", text}, {"logprobs", logprobs}, {"finish_reason", finish_reason}};
    out["choices"] = Json::array({std::move(choice)});
    if (with_usage_) out["usage"] = nullptr;
    return out;
  }

  std::shared_ptr<Generation> generation_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  size_t per_prompt_;
  bool with_logprobs_, with_usage_;
  Json head_;                         // what every object of this request has
  std::vector<EchoedPrompt> echoes_;  // one for every prompt, when they are repeated
};

}  // namespace

Reply handle_completions(const Request& request, App& app) {
  const CompletionRequest body = read_completion_request(JsonReader(parse_json(request.body)));
  const std::shared_ptr<ServedModel> model = app.model_for_generation(body.model, request.client);
  check_answer_count(static_cast<int64_t>(body.prompts.size()) * body.generation.n, app.options().engine, "prompt");
  GenerationInputs inputs{.prompt_param = "prompt"};
  for (const CompletionRequest::Prompt& prompt : body.prompts) inputs.prompts.push_back(encode(*model, prompt));
  inputs.prompt_logprobs = body.echo && body.generation.top_logprobs >= 0;
  if (body.generation.format) inputs.grammar = compile(*body.generation.format, *model->grammars);
  const std::vector<std::vector<TokenId>> prompts = inputs.prompts;
  auto generation = std::make_shared<Generation>(model, body.generation, std::move(inputs),
                                                 app.metrics().model(model->id), request.received);
  auto reply = std::make_shared<CompletionReply>(*model, body, prompts, std::move(generation));
  if (!body.generation.stream) return reply->whole(request.client);
  return sse_reply([reply, client = request.client](BodyWriter& writer) { reply->stream(client, writer); });
}

}  // namespace hearth
