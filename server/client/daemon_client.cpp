#include "server/client/daemon_client.h"

#include <utility>

#include "runtime/http_client/http_client.h"
#include "server/client/sse_reader.h"

namespace hearth {
namespace {

using Json = DaemonClient::Json;

std::string string_at(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json parse(std::string_view text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

HttpRequest request_of(const std::string& url, const std::string& api_key, const std::optional<Json>& body) {
  HttpRequest request;
  request.url = url;
  request.bearer_token = api_key;
  if (body) request.body = body->dump(-1, ' ', false, Json::error_handler_t::replace);
  return request;
}

}  // namespace

DaemonClient::DaemonClient(std::string url, std::string api_key, const std::atomic<bool>* cancelled)
    : url_(std::move(url)), api_key_(std::move(api_key)), cancelled_(cancelled) {
  while (url_.ends_with('/')) url_.pop_back();
  if (!url_.ends_with("/v1")) url_ += "/v1";
}

Error DaemonClient::error_from(int status, const Json& body, const std::string& path) const {
  const Json error = body.is_object() ? body.value("error", Json()) : Json();
  const std::string message = error.is_string() ? error.get<std::string>() : string_at(error, "message");
  const std::string text = message.empty() ? fmt::format("{}{}: HTTP {}", url_, path, status) : message;
  if (string_at(error, "code") == "context_length_exceeded") return Error(ErrorCode::kResourceExhausted, text);
  if (status == 401) return failed_precondition("{} (set HEARTH_API_KEY)", text);
  if (status == 404) return not_found("{} ({}{})", text, url_, path);
  return Error(status >= 400 && status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable, text);
}

std::string DaemonClient::send(const std::string& path, const std::optional<Json>& body) const {
  HttpClient client(cancelled_);
  const HttpResponse response = client.send(request_of(url_ + path, api_key_, body));
  if (response.status != 200) throw error_from(response.status, parse(response.body), path);
  return response.body;
}

std::string DaemonClient::get_text(const std::string& path) const { return send(path, std::nullopt); }

Json DaemonClient::get(const std::string& path) const {
  Json answer = parse(send(path, std::nullopt));
  if (answer.is_discarded()) throw data_corruption("{}{}: the answer is not JSON", url_, path);
  return answer;
}

Json DaemonClient::post(const std::string& path, const Json& body) const {
  Json answer = parse(send(path, body));
  if (answer.is_discarded()) throw data_corruption("{}{}: the answer is not JSON", url_, path);
  return answer;
}

void DaemonClient::stream(const std::string& path, const std::optional<Json>& body,
                          const std::function<void(const std::string&)>& on_data) const {
  SseReader events(on_data);
  HttpClient client(cancelled_);
  HttpRequest request = request_of(url_ + path, api_key_, body);
  request.stall_seconds = 0;  // a long prompt on a busy server takes its time
  const HttpResponse response = client.send(request, [&](std::string_view bytes) {
    events.push(bytes);
    return true;
  });
  if (response.status != 200) throw error_from(response.status, parse(response.body), path);
}

}  // namespace hearth
