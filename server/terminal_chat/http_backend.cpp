#include "server/terminal_chat/http_backend.h"

#include "runtime/base/error.h"
#include "server/client/daemon_client.h"

namespace hearth {
namespace {

using json = nlohmann::ordered_json;

constexpr const char* kPath = "/chat/completions";

std::string string_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int int_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_number_integer() ? found->get<int>() : 0;
}

// One chunk of the stream into the answer.
void take_chunk(const std::string& data, const DaemonClient& daemon, ChatAnswer& answer,
                const ChatBackend::OnText& on_text) {
  if (data == "[DONE]") return;
  const json chunk = json::parse(data, nullptr, /*allow_exceptions=*/false);
  if (!chunk.is_object()) throw data_corruption("{}: the stream has an event that is not JSON", daemon.url());
  if (chunk.contains("error")) throw daemon.error_from(500, chunk, kPath);
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
  if (!model_.empty()) return;
  const DaemonClient daemon(url_, api_key_);
  const json body = daemon.get("/models");
  const json models = body.is_object() ? body.value("data", json()) : json();
  if (models.is_array() && !models.empty()) model_ = string_at(models[0], "id");
  if (model_.empty()) throw not_found("{}/models: lists no model; name one with --model", daemon.url());
}

ChatAnswer HttpBackend::answer(const nlohmann::ordered_json& messages, const ChatSettings& settings,
                               const OnText& on_text, const std::atomic<bool>& stop) {
  json body = settings.to_json();
  body["model"] = model_;
  body["messages"] = messages;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const DaemonClient daemon(url_, api_key_, &stop);
  ChatAnswer answer;
  int pieces = 0;
  try {
    daemon.stream(kPath, body, [&](const std::string& data) {
      take_chunk(data, daemon, answer, [&](std::string_view text) {
        ++pieces;
        on_text(text);
      });
    });
    if (answer.finish_reason.empty())
      throw unavailable("{}{}: the stream ended without a finish reason", daemon.url(), kPath);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) throw;
    answer.finish_reason = "cancelled";
  }
  if (answer.completion_tokens == 0)
    answer.completion_tokens = pieces;  // a server without usage sends about a token a piece
  return answer;
}

}  // namespace hearth
