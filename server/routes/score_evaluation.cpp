// POST /v1/score/evaluation of LLaMA-Factory (api/app.py; chat/hf_engine.py, _get_scores): a reward model's value at
// the last token of each text. Texts are tokenised as they are, without the special tokens that a tokenizer puts around
// them; only max_length cuts one.
#include <limits>

#include "server/api_error.h"
#include "server/app.h"
#include "server/generation.h"
#include "server/ids.h"
#include "server/json_reader.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kTurn = std::chrono::seconds(15);

struct ScoreRequest {
  std::string model;
  std::vector<std::string> messages;  // at least one
  size_t max_length = std::numeric_limits<size_t>::max();
};

ScoreRequest read_score_request(const JsonReader& body) {
  if (!body.is_object()) body.fail_type("an object");
  ScoreRequest out;
  out.model = body.required("model").string();
  const JsonReader messages = body.required("messages");
  for (const JsonReader& text : messages.elements()) out.messages.push_back(text.string());
  if (out.messages.empty()) messages.fail("must have at least one text");
  if (const JsonReader length = body["max_length"])
    out.max_length = static_cast<size_t>(length.integer(1, std::numeric_limits<int32_t>::max()));
  return out;
}

std::vector<TokenId> encode(const ServedModel& model, const ScoreRequest& request, size_t index) {
  std::vector<TokenId> ids = model.loaded.tokenizer->encode(
      request.messages[index], {.add_special = false, .parse_special = true, .literal = {}});
  const std::string path = fmt::format("messages[{}]", index);
  if (ids.empty()) throw invalid_field(path, fmt::format("'{}': has no tokens", path));
  ids.resize(std::min(ids.size(), request.max_length));
  const auto limit = static_cast<size_t>(model.engine->max_context());
  if (ids.size() > limit)
    throw ApiError(ErrorCode::kInvalidArgument,
                   fmt::format("'{}' holds {} tokens at most, but '{}' has {}; shorten it, or let 'max_length' cut "
                               "texts at their end",
                               model.id, limit, path, ids.size()),
                   {.code = "context_length_exceeded", .param = path});
  return ids;
}

}  // namespace

Reply handle_score_evaluation(const Request& request, App& app) {
  const ScoreRequest body = read_score_request(JsonReader(parse_json(request.body)));
  const std::shared_ptr<ServedModel> model = app.model_for_scores(body.model, request.client);
  check_answer_count(static_cast<int64_t>(body.messages.size()), app.options().engine, "messages");
  GenerationInputs inputs{.prompt_param = "messages"};
  for (size_t i = 0; i < body.messages.size(); ++i) inputs.prompts.push_back(encode(*model, body, i));
  GenerationFields fields;
  fields.max_tokens = 0;
  Generation generation(model, fields, std::move(inputs), app.metrics().model(model->id), request.received);
  const std::shared_ptr<void> watch = generation.watch(request.client);
  std::vector<float> scores(generation.size());
  while (!generation.finished())
    if (const std::optional<Generation::Event> next = generation.next(kTurn);
        next && next->event.kind == TextEvent::Kind::kFinished)
      scores[next->index] = next->event.reward;
  return json_reply({{"id", random_id("scoreval-")},
                     {"object", "score.evaluation"},
                     {"model", model->id},
                     {"scores", scores},
                     {"usage", usage_json(generation.usage())}});
}

}  // namespace hearth
