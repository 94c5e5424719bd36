// GET, POST and DELETE of /v1/chat/completions: those that were made with "store": true.
#include <string>

#include "server/api_error.h"
#include "server/app.h"
#include "server/json_reader.h"
#include "server/paging.h"
#include "server/query.h"
#include "server/routes/handlers.h"
#include "server/stored/answer_store.h"
#include "server/stored/metadata.h"
#include "server/stored/owner.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr PageRule kPages{.default_limit = 20, .max_limit = 100, .default_order = PageOrder::kOldestFirst};
constexpr AnswerKind kKind = AnswerKind::kCompletion;

}  // namespace

Reply handle_list_completions(const Request& request, App& app) {
  const Query query(request.query);
  const Page page = read_page(query, kPages);
  AnswerQuery wanted{.kind = kKind,
                     .owner = owner_of(request),
                     .model = std::string(query.get("model").value_or("")),
                     .metadata = read_metadata_filter(query),
                     .limit = page.rows(),
                     .oldest_first = page.order == PageOrder::kOldestFirst};
  if (!page.after.empty()) wanted.after = page.after;
  Json rows = Json::array();
  try {
    for (Json& object : app.stored_answers().list(wanted)) rows.push_back(std::move(object));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) refuse_after(page);
    throw;
  }
  return json_reply(list_object(std::move(rows), page));
}

Reply handle_get_completion(const Request& request, App& app) {
  return json_reply(app.stored_answers().get(kKind, owner_of(request), request.path_argument).object);
}

Reply handle_completion_messages(const Request& request, App& app) {
  const Page page = read_page(Query(request.query), kPages);
  Json messages = Json::array();
  for (StoredItem& message : app.stored_answers().conversation(kKind, owner_of(request), request.path_argument, false))
    messages.push_back(std::move(message.item));
  return json_reply(page_of(std::move(messages), page));
}

Reply handle_update_completion(const Request& request, App& app) {
  const Json body = parse_json(request.body);
  const JsonReader reader(body);
  if (!reader.is_object()) reader.fail_type("an object");
  if (!body.contains("metadata")) reader.required("metadata");  // null takes it all away
  app.stored_answers().set_metadata(kKind, owner_of(request), request.path_argument, read_metadata(reader["metadata"]));
  return handle_get_completion(request, app);
}

Reply handle_delete_completion(const Request& request, App& app) {
  app.stored_answers().remove(kKind, owner_of(request), request.path_argument);
  return json_reply({{"id", request.path_argument}, {"object", "chat.completion.deleted"}, {"deleted", true}});
}

}  // namespace hearth
