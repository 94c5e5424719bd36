#include "server/terminal_chat/http_backend.h"

#include "runtime/base/error.h"
#include "runtime/http_client/http_client.h"
#include "server/terminal_chat/sse_reader.h"

namespace hearth {
namespace {

using nlohmann::json;

std::string string_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int int_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_number_integer() ? found->get<int>() : 0;
}

// The error object that the server sends, as an Error.
Error error_from(int status, const json& body, const std::string& url) {
  const json error = body.is_object() ? body.value("error", json()) : json();
  const std::string message = error.is_string() ? error.get<std::string>() : string_at(error, "message");
  const std::string text = message.empty() ? fmt::format("{}: HTTP {}", url, status) : message;
  if (string_at(error, "code") == "context_length_exceeded") return Error(ErrorCode::kResourceExhausted, text);
  if (status == 401) return failed_precondition("{} (set HEARTH_API_KEY)", text);
  if (status == 404) return not_found("{} ({})", text, url);
  return Error(status >= 400 && status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable, text);
}

json parse(std::string_view text) { return json::parse(text, nullptr, /*allow_exceptions=*/false); }

// One chunk of the stream into the answer.
void take_chunk(const std::string& data, const std::string& url, ChatAnswer& answer,
                const ChatBackend::OnText& on_text) {
  if (data == "[DONE]") return;
  const json chunk = parse(data);
  if (!chunk.is_object()) throw data_corruption("{}: the stream has an event that is not JSON", url);
  if (chunk.contains("error")) throw error_from(500, chunk, url);
  if (const auto usage = chunk.find("usage"); usage != chunk.end() && usage->is_object()) {
    answer.prompt_tokens = int_at(*usage, "prompt_tokens");
    answer.completion_tokens = int_at(*usage, "completion_tokens");
    if (usage->contains("prompt_tokens_details"))
      answer.cached_tokens = int_at((*usage)["prompt_tokens_details"], "cached_tokens");
  }
  const auto choices = chunk.find("choices");
  if (choices == chunk.end() || !choices->is_array() || choices->empty()) return;
  const json& choice = (*choices)[0];
  if (const std::string reason = string_at(choice, "finish_reason"); !reason.empty()) answer.finish_reason = reason;
  const auto delta = choice.is_object() ? choice.find("delta") : choice.end();
  if (delta == choice.end()) return;
  const std::string text = string_at(*delta, "content");
  if (text.empty()) return;
  answer.text += text;
  on_text(text);
}

}  // namespace

HttpBackend::HttpBackend(std::string url, std::string api_key, std::string model)
    : url_(std::move(url)), api_key_(std::move(api_key)), model_(std::move(model)) {
  while (url_.ends_with('/')) url_.pop_back();
  if (!url_.ends_with("/v1")) url_ += "/v1";
  if (!model_.empty()) return;
  HttpClient client;
  HttpRequest request;
  request.url = url_ + "/models";
  request.bearer_token = api_key_;
  const HttpResponse response = client.send(request);
  const json body = parse(response.body);
  if (response.status != 200) throw error_from(response.status, body, request.url);
  const json models = body.is_object() ? body.value("data", json()) : json();
  if (models.is_array() && !models.empty()) model_ = string_at(models[0], "id");
  if (model_.empty()) throw not_found("{}: lists no model; name one with --model", request.url);
}

ChatAnswer HttpBackend::answer(const nlohmann::ordered_json& messages, const ChatSettings& settings,
                               const OnText& on_text, const std::atomic<bool>& stop) {
  nlohmann::ordered_json body = settings.to_json();
  body["model"] = model_;
  body["messages"] = messages;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  HttpRequest request;
  request.url = url_ + "/chat/completions";
  request.bearer_token = api_key_;
  request.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  request.stall_seconds = 0;  // a long prompt on a busy server takes its time
  ChatAnswer answer;
  int pieces = 0;
  SseReader events([&](const std::string& data) {
    take_chunk(data, request.url, answer, [&](std::string_view text) {
      ++pieces;
      on_text(text);
    });
  });
  HttpClient client(&stop);
  try {
    const HttpResponse response = client.send(request, [&](std::string_view bytes) {
      events.push(bytes);
      return true;
    });
    if (response.status != 200) throw error_from(response.status, parse(response.body), request.url);
    if (answer.finish_reason.empty()) throw unavailable("{}: the stream ended without a finish reason", request.url);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) throw;
    answer.finish_reason = "cancelled";
  }
  if (answer.completion_tokens == 0)
    answer.completion_tokens = pieces;  // a server without usage sends about a token a piece
  return answer;
}

}  // namespace hearth
