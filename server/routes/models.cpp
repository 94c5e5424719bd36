#include "server/api_error.h"
#include "server/app.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const ServedModel& model) {
  const bool is_adapter = !model.base.empty(), is_reward_model = model.value_head != nullptr;
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "hearth"},
          {"root", is_adapter ? model.base : model.id},
          {"parent", is_adapter ? Json(model.base) : Json()},
          {"max_model_len", model.engine->max_context()},
          {"capabilities",
           {{"completions", !is_reward_model},
            {"chat", !is_reward_model && model.loaded.is_chat_model()},
            {"score", is_reward_model}}}};
}

}  // namespace

Reply handle_list_models(const Request&, App& app) {
  const auto models = app.models();
  if (models.empty()) app.model(app.options().models.front().id);  // throws what keeps it away
  Json data = Json::array();
  for (const auto& model : models) data.push_back(describe(*model));
  const Json first = data.front()["id"], last = data.back()["id"];
  return json_reply({{"object", "list"}, {"data", data}, {"has_more", false}, {"first_id", first}, {"last_id", last}});
}

Reply handle_get_model(const Request& request, App& app) {
  return json_reply(describe(*app.model(request.path_argument)));
}

}  // namespace hearth
