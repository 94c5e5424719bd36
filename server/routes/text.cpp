// Text and tokens without generation: /tokenize, /detokenize, /apply-template, and the names of templates.
#include "server/app.h"
#include "server/json_reader.h"
#include "server/openai_types.h"
#include "server/prompt.h"
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
  const std::string content = body.required("content").string();
  const EncodeOptions options{.add_special = read_flag(body["add_special"], false),
                              .parse_special = read_flag(body["parse_special"], true),
                              .literal = {}};
  return json_reply({{"tokens", model_of(body, request, app)->loaded.tokenizer->encode(content, options)}});
}

Reply handle_detokenize(const Request& request, App& app) {
  const nlohmann::ordered_json document = parse_json(request.body);
  const JsonReader body(document);
  const std::vector<TokenId> ids = read_token_ids(body.required("tokens"));
  return json_reply({{"content", model_of(body, request, app)->loaded.tokenizer->decode(ids, /*skip_special=*/false)}});
}

Reply handle_apply_template(const Request& request, App& app) {
  const nlohmann::ordered_json document = parse_json(request.body);
  const JsonReader body(document);
  const ConversationFields conversation = read_conversation(body);
  const bool tokenize = read_flag(body["tokenize"], false);
  const ConversationPrompt prompt = prompt_of(*model_of(body, request, app), conversation);
  nlohmann::ordered_json reply = {{"prompt", prompt.text}};
  if (tokenize) reply["tokens"] = prompt.token_ids;
  return json_reply(reply);
}

}  // namespace hearth
