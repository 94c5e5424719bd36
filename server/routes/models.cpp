// GET /v1/models, GET and DELETE /v1/models/{id}: what is known of models, loaded or not. `state` is hearth's own;
// `root`, `parent` and `max_model_len` are spelled as vLLM does.
#include <cmath>

#include "server/app.h"
#include "server/models/model_host.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(ModelState state) {
  switch (state) {
    case ModelState::kLoaded:
      return "loaded";
    case ModelState::kLoading:
      return "loading";
    case ModelState::kFailed:
      return "failed";
    case ModelState::kUnloaded:
      break;
  }
  return "unloaded";
}

Json describe(const GenerationDefaults& sampling) {
  Json out = Json::object();
  const auto add = [&](const char* name, const auto& value) {
    constexpr double kDigits = 1e6;  // of a float's own
    if (value) out[name] = std::round(*value * kDigits) / kDigits;
  };
  add("temperature", sampling.temperature);
  add("top_p", sampling.top_p);
  add("top_k", sampling.top_k);
  add("min_p", sampling.min_p);
  add("typical_p", sampling.typical_p);
  add("repetition_penalty", sampling.repetition_penalty);
  return out;
}

// Null where only a loaded model tells.
Json describe(const ModelStatus& model) {
  const bool is_adapter = !model.base.empty();
  Json out = {{"id", model.id},
              {"object", "model"},
              {"created", model.created},
              {"owned_by", "hearth"},
              {"root", is_adapter ? model.base : model.id},
              {"parent", is_adapter ? Json(model.base) : Json()},
              {"state", name_of(model.state)},
              {"memory_bytes", model.memory_bytes > 0 ? Json(model.memory_bytes) : Json()},
              {"template", model.template_name.empty() ? Json() : Json(model.template_name)},
              {"max_model_len", nullptr},
              {"input_modalities", nullptr},
              {"chat_sampling", nullptr},
              {"capabilities", nullptr}};
  if (!model.details) return out;
  out["input_modalities"] = model.details->sees ? Json::array({"text", "image"}) : Json::array({"text"});
  out["chat_sampling"] = describe(model.details->chat_sampling);
  const bool is_reward_model = model.details->is_reward_model;
  out["max_model_len"] = model.details->max_context;
  out["capabilities"] = {{"completions", !is_reward_model},
                         {"chat", !is_reward_model && model.details->is_chat_model},
                         {"score", is_reward_model}};
  return out;
}

}  // namespace

Reply handle_list_models(const Request&, App& app) {
  Json data = Json::array();
  for (const ModelStatus& model : app.host().list()) data.push_back(describe(model));
  const Json first = data.empty() ? Json() : data.front()["id"], last = data.empty() ? Json() : data.back()["id"];
  return json_reply({{"object", "list"}, {"data", data}, {"has_more", false}, {"first_id", first}, {"last_id", last}});
}

Reply handle_get_model(const Request& request, App& app) {
  return json_reply(describe(app.host().status(request.path_argument)));
}

Reply handle_delete_model(const Request& request, App& app) {
  return json_reply({{"id", app.host().remove(request.path_argument)}, {"object", "model"}, {"deleted", true}});
}

}  // namespace hearth
