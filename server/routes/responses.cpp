// /v1/responses: OpenAI's responses API as a translation onto the chat's engine. All that can be refused is refused
// before the headers go out.
#include <charconv>
#include <memory>
#include <string>

#include "server/api_error.h"
#include "server/app.h"
#include "server/json_reader.h"
#include "server/paging.h"
#include "server/query.h"
#include "server/responses/background_responses.h"
#include "server/responses/response_request.h"
#include "server/responses/response_run.h"
#include "server/routes/handlers.h"
#include "server/sse.h"
#include "server/stored/owner.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPingEvery = std::chrono::seconds(15), kCancelWait = std::chrono::seconds(10);
constexpr PageRule kPages{.default_limit = 20, .max_limit = 100};

bool write_event(SseWriter& writer, const Json& event) {
  return writer.typed_event(event.at("type").get_ref<const std::string&>(), event);
}

// Runs on the connection's thread: it ends when its client goes.
Reply streamed(std::shared_ptr<ResponseRun> run, Client* client) {
  return sse_reply([run = std::move(run), client](BodyWriter& body) {
    const std::shared_ptr<void> watch = run->watch(client);
    SseWriter writer(body);
    const auto unless_gone = [&](bool is_there) {
      if (!is_there) run->cancel();
    };
    run->run([&](const Json& event) { unless_gone(write_event(writer, event)); }, [&] { unless_gone(writer.ping()); });
  });
}

Reply whole(ResponseRun& run, Client* client) {
  const std::shared_ptr<void> watch = run.watch(client);
  run.run([](const Json&) {}, [] {});
  if (run.failure()) std::rethrow_exception(run.failure());
  return json_reply(run.response());
}

// From event number `next` on, to the end.
Reply followed(std::shared_ptr<const EventLog> log, size_t next) {
  return sse_reply([log = std::move(log), next](BodyWriter& body) mutable {
    SseWriter writer(body);
    for (;;) {
      const EventLog::News news = log->wait(next, kPingEvery);
      for (const EventLog::Event& event : news.events)
        if (!write_event(writer, *event)) return;
      next += news.events.size();
      if (news.has_ended) return;
      if (news.events.empty() && !writer.ping()) return;
    }
  });
}

// A client cannot have seen an event that there was not.
void check_starting_after(size_t next, size_t events) {
  if (next > events)
    throw invalid_field("starting_after", fmt::format("'starting_after': {}, but the last event so far is {}", next - 1,
                                                      static_cast<int64_t>(events) - 1));
}

Reply replayed(const StoredAnswer& answer, size_t next) {
  std::vector<Json> events;
  replay_response(answer.object, answer.pieces, [&](const Json& event) { events.push_back(event); });
  check_starting_after(next, events.size());
  return sse_reply([events = std::move(events), next](BodyWriter& body) {
    SseWriter writer(body);
    for (size_t i = next; i < events.size(); ++i)
      if (!write_event(writer, events[i])) return;
  });
}

// The number of the first event that is wanted.
size_t read_starting_after(const Query& query) {
  const auto text = query.get("starting_after");
  if (!text) return 0;
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size())
    throw invalid_field("starting_after",
                        fmt::format("'starting_after': '{}' is no sequence_number of an event", text->substr(0, 32)));
  return size_t{number} + 1;
}

bool read_stream(const Query& query) {
  const std::string_view stream = query.get("stream").value_or("false");
  if (stream != "true" && stream != "false")
    throw invalid_field("stream", fmt::format("'stream': '{}' is neither true nor false", stream.substr(0, 32)));
  return stream == "true";
}

StoredAnswer stored_response(const Request& request, App& app) {
  return app.stored_answers().get(AnswerKind::kResponse, owner_of(request), request.path_argument);
}

// As it stands now.
Json response_now(const Request& request, App& app) {
  const bool runs = app.background_responses().running(request.path_argument) != nullptr;
  Json response = stored_response(request, app).object;
  if (runs && response["status"] == "queued") response["status"] = "in_progress";
  return response;
}

}  // namespace

Reply handle_create_response(const Request& request, App& app) {
  AnswerStore* store = app.find_stored_answers();
  const std::string owner = owner_of(request);
  ResponseRequest body = read_response_request(JsonReader(parse_json(request.body)), store, owner);
  const std::shared_ptr<ServedModel> model = app.model_for_generation(body.chat.model, request.client);
  auto run = std::make_shared<ResponseRun>(std::move(body), model, app, store, owner, request.received);
  if (run->is_background()) {
    const Json begun = run->response();
    const bool streams = run->streams();
    std::shared_ptr<const EventLog> log = app.background_responses().start(std::move(run));
    return streams ? followed(std::move(log), 0) : json_reply(begun);
  }
  return run->streams() ? streamed(std::move(run), request.client) : whole(*run, request.client);
}

Reply handle_get_response(const Request& request, App& app) {
  const Query query(request.query);
  const size_t next = read_starting_after(query);
  if (!read_stream(query)) return json_reply(response_now(request, app));
  std::shared_ptr<const EventLog> log = app.background_responses().running(request.path_argument);
  const StoredAnswer answer = stored_response(request, app);
  if (!log) return replayed(answer, next);
  check_starting_after(next, log->size());
  return followed(std::move(log), next);
}

Reply handle_cancel_response(const Request& request, App& app) {
  if (stored_response(request, app).object["background"] != true)
    throw failed_precondition("'{}' does not run in the background: it ends when its client closes the connection",
                              request.path_argument);
  if (const auto log = app.background_responses().running(request.path_argument)) {
    app.background_responses().cancel(request.path_argument);
    log->wait_for_end(kCancelWait);
  }
  return json_reply(response_now(request, app));
}

Reply handle_delete_response(const Request& request, App& app) {
  stored_response(request, app);
  app.background_responses().cancel(request.path_argument);
  app.stored_answers().remove(AnswerKind::kResponse, owner_of(request), request.path_argument);
  return json_reply({{"id", request.path_argument}, {"object", "response"}, {"deleted", true}});
}

Reply handle_response_input_items(const Request& request, App& app) {
  const Page page = read_page(Query(request.query), kPages);
  Json items = Json::array();
  for (StoredItem& item :
       app.stored_answers().conversation(AnswerKind::kResponse, owner_of(request), request.path_argument, false))
    items.push_back(std::move(item.item));
  return json_reply(page_of(std::move(items), page));
}

}  // namespace hearth
