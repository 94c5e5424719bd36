#include "server/responses/response_request.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "server/api_error.h"
#include "server/responses/input_items.h"
#include "server/responses/tool_fields.h"
#include "server/stored/metadata.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kLogprobs = "message.output_text.logprobs";
constexpr std::string_view kIncludable[] = {kLogprobs,
                                            "reasoning.encrypted_content",
                                            "file_search_call.results",
                                            "web_search_call.results",
                                            "web_search_call.action.sources",
                                            "message.input_image.image_url",
                                            "computer_call_output.output.image_url",
                                            "code_interpreter_call.outputs"};

// Names of the chat API, and what is called so here. A request that sends one would be answered without it.
constexpr std::pair<std::string_view, std::string_view> kChatNames[] = {{"messages", "input"},
                                                                        {"max_tokens", "max_output_tokens"},
                                                                        {"max_completion_tokens", "max_output_tokens"},
                                                                        {"response_format", "text.format"},
                                                                        {"reasoning_effort", "reasoning.effort"},
                                                                        {"functions", "tools"},
                                                                        {"function_call", "tool_choice"}};

// Fields of the API that name what only OpenAI's own servers have.
constexpr std::string_view kUnsupported[] = {"prompt", "conversation", "context_management"};

// Those whose meaning differs from the chat API's field of that name; all others are passed on as they are.
constexpr std::string_view kOwn[] = {"input",        "instructions", "previous_response_id", "tools",   "tool_choice",
                                     "text",         "reasoning",    "max_output_tokens",    "store",   "include",
                                     "top_logprobs", "logprobs",     "stream_options",       "metadata"};

void refuse_misplaced(const JsonReader& body) {
  for (const auto& [name, here] : kChatNames)
    if (const JsonReader field = body[name])
      throw unsupported_field(field.path(), fmt::format("'{}' is called '{}' in this API", name, here));
  for (const std::string_view name : kUnsupported)
    if (const JsonReader field = body[name]; field && !(field.is_array() && field.elements().empty()))
      throw unsupported_field(field.path(), fmt::format("'{}' is not supported; send the conversation as 'input', or "
                                                        "'previous_response_id'",
                                                        name));
  const JsonReader truncation = body["truncation"];
  if (!truncation || truncation.string() == "disabled") return;
  if (truncation.string() != "auto") truncation.fail("there are disabled and auto");
  throw unsupported_field(truncation.path(),
                          "'truncation': a conversation is not shortened in silence; send 'disabled' and leave out "
                          "what the context cannot hold");
}

bool read_flag(const JsonReader& field, bool otherwise) { return field ? field.boolean() : otherwise; }

std::string read_name(const JsonReader& field, std::initializer_list<std::string_view> names) {
  std::string name = field.string();
  if (std::ranges::find(names, name) == names.end())
    field.fail(fmt::format("'{}' is none of {}", name.substr(0, 64), fmt::join(names, ", ")));
  return name;
}

// text -> response_format. -> what the response repeats
Json read_text(const JsonReader& text, Json& chat, FieldNames& names) {
  names.add("response_format", "text.format");
  names.add("response_format.json_schema", "text.format");
  Json repeated = {{"format", {{"type", "text"}}}};
  if (const JsonReader verbosity = text["verbosity"])
    chat["verbosity"] = repeated["verbosity"] = read_name(verbosity, {"low", "medium", "high"});
  const JsonReader format = text["format"];
  if (!format) return repeated;
  const std::string type = format.required("type").string();
  if (type == "text") return repeated;
  Json& kept = repeated["format"] = {{"type", type}};
  Json& wanted = chat["response_format"] = {{"type", type}};
  if (type != "json_schema") return repeated;
  kept["name"] = format.required("name").string();
  const JsonReader schema = format.required("schema");
  if (!schema.is_object()) schema.fail_type("a JSON Schema");
  kept["schema"] = schema.json();
  if (const JsonReader description = format["description"]) kept["description"] = description.string();
  if (const JsonReader strict = format["strict"]) kept["strict"] = strict.boolean();
  wanted["json_schema"] = kept;
  wanted["json_schema"].erase("type");
  return repeated;
}

Json read_reasoning(const JsonReader& reasoning, Json& chat, FieldNames& names) {
  names.add("reasoning_effort", "reasoning.effort");
  Json repeated = {{"effort", nullptr}, {"summary", nullptr}};
  if (const JsonReader effort = reasoning["effort"])
    chat["reasoning_effort"] = repeated["effort"] =
        read_name(effort, {"none", "minimal", "low", "medium", "high", "xhigh", "max"});
  if (const JsonReader summary = reasoning["summary"])
    repeated["summary"] = read_name(summary, {"auto", "concise", "detailed"});
  return repeated;
}

// include and top_logprobs -> logprobs and top_logprobs
void read_logprobs(const JsonReader& body, Json& chat, Json& repeated) {
  bool wanted = false;
  for (const JsonReader& element : body["include"].elements()) {
    const std::string name = element.string();
    if (std::ranges::find(kIncludable, name) == std::end(kIncludable))
      element.fail(fmt::format("'{}' is none of {}", name.substr(0, 64), fmt::join(kIncludable, ", ")));
    wanted |= name == kLogprobs;
  }
  const JsonReader top = body["top_logprobs"];
  const int64_t count = top ? top.integer(0, kMaxTopLogprobs) : 0;
  if (count > 0 && !wanted) top.fail(fmt::format("only with 'include': [\"{}\"]", kLogprobs));
  repeated["top_logprobs"] = count;
  if (!wanted) return;
  chat["logprobs"] = true;
  chat["top_logprobs"] = count;
}

std::vector<InputItem> read_previous(const JsonReader& field, AnswerStore* store, const std::string& owner) {
  std::vector<InputItem> items;
  if (!field) return items;
  const std::string id = field.string();
  if (!store)
    field.fail(
        "this daemon keeps no responses: send the whole conversation as 'input', or start it with a state "
        "directory and stored_days above 0");
  try {
    const Json status = store->get(AnswerKind::kResponse, owner, id).object.at("status");
    if (status != "completed" && status != "incomplete")
      field.fail(fmt::format("'{}' is {}; only one that is completed or incomplete can be continued", id,
                             status.get<std::string>()));
    for (StoredItem& item : store->conversation(AnswerKind::kResponse, owner, id, true))
      items.push_back({std::move(item), field.path()});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    throw ApiError(ErrorCode::kInvalidArgument, error.what(),
                   {.code = "previous_response_not_found", .param = field.path()});
  }
  return items;
}

Json passed_on(const JsonReader& body) {
  Json chat = Json::object();
  for (const auto& [name, value] : body.json().items())
    if (std::ranges::find(kOwn, name) == std::end(kOwn)) chat[name] = value;
  return chat;
}

void read_conversation_of(const JsonReader& body, AnswerStore* store, const std::string& owner, Json& chat,
                          ResponseRequest& out) {
  std::vector<InputItem> items = read_previous(body["previous_response_id"], store, owner);
  const auto find = [&](const std::string& id) { return store ? store->find_item(owner, id) : std::nullopt; };
  for (InputItem& item : read_input_items(body.required("input"), find)) items.push_back(std::move(item));
  const JsonReader instructions = body["instructions"];
  const std::string text = instructions ? instructions.string() : "";
  chat["messages"] = chat_messages(items, text, out.names);
  for (InputItem& item : items) out.input.push_back(std::move(item.stored));
  out.repeated["instructions"] = instructions ? Json(text) : Json();
  out.repeated["previous_response_id"] = body["previous_response_id"].json();
}

// What has no effect on the answer and is only said again.
void repeat(const JsonReader& body, Json& repeated) {
  for (const char* name : {"prompt_cache_key", "safety_identifier", "user"}) {
    const JsonReader field = body[name];
    repeated[name] = field ? Json(field.string()) : Json();
  }
  const JsonReader calls = body["max_tool_calls"];
  repeated["max_tool_calls"] = calls ? Json(calls.integer(1, std::numeric_limits<int32_t>::max())) : Json();
  repeated["truncation"] = "disabled";
  repeated["service_tier"] = "default";
  repeated["metadata"] = read_metadata(body["metadata"]);
}

void read_storing(const JsonReader& body, bool can_store, ResponseRequest& out) {
  const bool wanted = read_flag(body["store"], true);
  out.store = wanted && can_store;
  out.background = read_flag(body["background"], false);
  if (out.background && !wanted) body["background"].fail("only with 'store': true");
  if (out.background && !can_store)
    body["background"].fail(
        "this daemon keeps no responses, so nobody could fetch it: start it with a state directory "
        "and stored_days above 0");
  out.repeated["store"] = out.store;
  out.repeated["background"] = out.background;
}

}  // namespace

ResponseRequest read_response_request(const JsonReader& body, AnswerStore* store, const std::string& owner) {
  if (!body.is_object()) body.fail_type("an object");
  refuse_misplaced(body);
  ResponseRequest out;
  Json chat = passed_on(body);
  read_storing(body, store != nullptr, out);
  read_conversation_of(body, store, owner, chat, out);
  const JsonReader limit = body["max_output_tokens"];
  for (const char* name : {"max_completion_tokens", "max_tokens"}) out.names.add(name, limit.path());
  out.repeated["max_output_tokens"] = chat["max_completion_tokens"] = limit.json();
  out.repeated["text"] = read_text(body["text"], chat, out.names);
  out.repeated["reasoning"] = read_reasoning(body["reasoning"], chat, out.names);
  out.repeated["parallel_tool_calls"] = read_flag(body["parallel_tool_calls"], true);
  out.repeated["tools"] = read_response_tools(body["tools"], chat, out.names);
  out.repeated["tool_choice"] = read_response_tool_choice(body["tool_choice"], chat, out.names);
  read_logprobs(body, chat, out.repeated);
  repeat(body, out.repeated);
  out.chat = out.names.translated([&] { return read_chat_request(JsonReader(chat)); });
  if (out.chat.generation.n != 1)
    throw unsupported_field("n", "'n': a response has one answer; send several requests, or use /v1/chat/completions");
  return out;
}

}  // namespace hearth
