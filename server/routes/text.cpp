// Text and tokens without generation: /tokenize, /detokenize, /apply-template, /tokenizer_info and the names of
// templates. Fields go by llama.cpp's names and by vLLM's, which lm-evaluation-harness speaks.
#include "server/app.h"
#include "server/json_reader.h"
#include "server/openai_types.h"
#include "server/prompt.h"
#include "server/query.h"
#include "server/routes/handlers.h"
#include "templates/llamafactory/registry.h"

namespace hearth {
namespace {

// The one that `model` names, else the first.
std::shared_ptr<ServedModel> model_of(const JsonReader& body, const Request& request, App& app) {
  const JsonReader name = body["model"];
  return app.model(name ? name.string() : app.options().models.front().id, request.client);
}

bool read_flag(const JsonReader& field, bool otherwise) { return field ? field.boolean() : otherwise; }

}  // namespace

Reply handle_list_templates(const Request&, App&) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const TemplateRow& row : template_rows()) names.push_back(row.name);
  return json_reply({{"object", "list"}, {"data", names}});
}

Reply handle_tokenize(const Request& request, App& app) {
  const nlohmann::ordered_json document = parse_json(request.body);
  const JsonReader body(document);
  const JsonReader prompt = body["prompt"];
  const std::string text = prompt ? prompt.string() : body.required("content").string();
  const EncodeOptions options{
      .add_special = prompt ? read_flag(body["add_special_tokens"], true) : read_flag(body["add_special"], false),
      .parse_special = read_flag(body["parse_special"], true),
      .literal = {}};
  const std::vector<TokenId> ids = model_of(body, request, app)->loaded.tokenizer->encode(text, options);
  return json_reply({{"tokens", ids}, {"count", ids.size()}});
}

Reply handle_detokenize(const Request& request, App& app) {
  const nlohmann::ordered_json document = parse_json(request.body);
  const JsonReader body(document);
  const std::vector<TokenId> ids = read_token_ids(body.required("tokens"));
  const std::string text = model_of(body, request, app)->loaded.tokenizer->decode(ids, /*skip_special=*/false);
  return json_reply({{"content", text}, {"prompt", text}});
}

Reply handle_tokenizer_info(const Request& request, App& app) {
  const Query query(request.query);
  const std::string id(query.get("model").value_or(app.options().models.front().id));
  const std::shared_ptr<ServedModel> model = app.model(id, request.client);
  const Tokenizer& tokenizer = *model->loaded.tokenizer;
  const auto text = [&](std::optional<TokenId> token) {
    return token ? nlohmann::ordered_json(tokenizer.token_text(*token)) : nlohmann::ordered_json(nullptr);
  };
  const std::shared_ptr<const ChatTemplate>& chat = model->loaded.chat_template;
  return json_reply({{"model", id},
                     {"bos_token", text(tokenizer.bos())},
                     {"eos_token", text(tokenizer.eos())},
                     {"vocab_size", tokenizer.vocab_size()},
                     {"chat_template", chat ? nlohmann::ordered_json(chat->source()) : nullptr}});
}

Reply handle_apply_template(const Request& request, App& app) {
  const nlohmann::ordered_json document = parse_json(request.body);
  const JsonReader body(document);
  const ConversationFields conversation = read_conversation(body);
  const bool tokenize = read_flag(body["tokenize"], false);
  const ConversationPrompt prompt = prompt_of(*model_of(body, request, app), conversation, app);
  nlohmann::ordered_json reply = {{"prompt", prompt.text}};
  if (tokenize) reply["tokens"] = prompt.token_ids;
  return json_reply(reply);
}

}  // namespace hearth
