#include "server/terminal_chat/http_backend.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
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

std::vector<std::string> names_of(const json& listing) {
  std::vector<std::string> names;
  for (const json& model : listing)
    if (std::string name = string_at(model, "id"); !name.empty()) names.push_back(std::move(name));
  return names;
}

// What hearth suggests for a chat with the model: null while that is not loaded. Nothing of a server of others.
json sampling_of(const json& listing, const std::string& name) {
  for (const json& model : listing)
    if (string_at(model, "id") == name) return model.value("chat_sampling", json::object());
  return json::object();
}

// The chunks of one stream.
class StreamedAnswer {
 public:
  StreamedAnswer(const DaemonClient& daemon, const ChatBackend::OnText& on_text) : daemon_(daemon), on_text_(on_text) {}

  void take_chunk(const std::string& data) {
    if (data == "[DONE]") return;
    const json chunk = json::parse(data, nullptr, /*allow_exceptions=*/false);
    if (!chunk.is_object()) throw data_corruption("{}: the stream has an event that is not JSON", daemon_.url());
    if (chunk.contains("error")) throw daemon_.error_from(500, chunk, kPath);
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
    take_reasoning(string_at(*delta, "reasoning_content"));
    take_text(string_at(*delta, "content"));
  }

  ChatAnswer answer;
  int pieces = 0;

 private:
  void take_reasoning(const std::string& text) {
    if (text.empty()) return;
    ++pieces;
    on_text_(reasoning_ ? text : "<think>\n" + text);
    reasoning_ = true;
  }

  void take_text(const std::string& text) {
    if (text.empty()) return;
    ++pieces;
    if (reasoning_) on_text_("\n</think>\n\n");
    reasoning_ = false;
    answer.text += text;
    on_text_(text);
  }

  const DaemonClient& daemon_;
  const ChatBackend::OnText& on_text_;
  bool reasoning_ = false;
};

}  // namespace

HttpBackend::HttpBackend(std::string url, std::string api_key, const std::string& model)
    : url_(std::move(url)), api_key_(std::move(api_key)) {
  use(model, "");
}

json HttpBackend::listed() const {
  const json body = DaemonClient(url_, api_key_).get("/models");
  const json data = body.is_object() ? body.value("data", json()) : json();
  return data.is_array() ? data : json::array();
}

std::vector<std::string> HttpBackend::models() const { return names_of(listed()); }

void HttpBackend::use(const std::string& model, const std::string& adapter) {
  if (!adapter.empty())
    throw invalid_argument("{}: a server's adapters have names of their own, as /model lists them", adapter);
  const json listing = listed();
  const std::vector<std::string> names = names_of(listing);
  if (names.empty()) throw not_found("{}: lists no model", DaemonClient(url_, api_key_).url());
  if (!model.empty() && std::find(names.begin(), names.end(), model) == names.end())
    throw not_found("{}: has no model '{}'{}; there are {}", DaemonClient(url_, api_key_).url(), model,
                    did_you_mean(model, names), fmt::join(names, ", "));
  model_ = model.empty() ? names.front() : model;
  sampling_ = sampling_of(listing, model_);
}

ChatAnswer HttpBackend::answer(const nlohmann::ordered_json& messages, const ChatSettings& settings,
                               const OnText& on_text, const std::atomic<bool>& stop) {
  if (sampling_.is_null()) sampling_ = sampling_of(listed(), model_);
  json body = sampling_.is_null() ? json::object() : sampling_;
  body.update(settings.to_json());
  body["model"] = model_;
  body["messages"] = messages;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const DaemonClient daemon(url_, api_key_, &stop);
  StreamedAnswer streamed(daemon, on_text);
  ChatAnswer& answer = streamed.answer;
  try {
    daemon.stream(kPath, body, [&](const std::string& data) { streamed.take_chunk(data); });
    if (answer.finish_reason.empty())
      throw unavailable("{}{}: the stream ended without a finish reason", daemon.url(), kPath);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnavailable && streamed.pieces > 0)
      throw unavailable("the answer broke off: {}", error.what());
    if (error.code() != ErrorCode::kCancelled) throw;
    answer.finish_reason = "cancelled";
  }
  if (answer.completion_tokens == 0)
    answer.completion_tokens = streamed.pieces;  // a server without usage sends about a token a piece
  return answer;
}

}  // namespace hearth
