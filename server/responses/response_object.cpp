#include "server/responses/response_object.h"

#include <charconv>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "server/api_error.h"
#include "server/ids.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

// What the engine samples with where neither request nor checkpoint say otherwise; 0.7 and not 0.699999988.
double effective(const std::optional<float>& request, const std::optional<float>& model) {
  const std::string shortest = fmt::format("{}", request ? *request : model.value_or(1));
  double number = 0;
  std::from_chars(shortest.data(), shortest.data() + shortest.size(), number);
  return number;
}

Json usage_of(const TokenUsage& usage) {
  return {{"input_tokens", usage.prompt},
          {"input_tokens_details", {{"cached_tokens", usage.cached}, {"cache_write_tokens", 0}}},
          {"output_tokens", usage.completion},
          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning}}},
          {"total_tokens", usage.prompt + usage.completion}};
}

}  // namespace

Json as_begun(Json response) {
  response["status"] = response["background"] == true ? "queued" : "in_progress";
  for (const char* name : {"completed_at", "error", "incomplete_details", "usage"}) response[name] = nullptr;
  response["output"] = Json::array();
  return response;
}

Json new_response(const ResponseRequest& request, const ServedModel& model) {
  const GenerationFields& fields = request.chat.generation;
  Json response = {{"id", random_id("resp_")},
                   {"object", "response"},
                   {"created_at", std::time(nullptr)},
                   {"status", nullptr},
                   {"completed_at", nullptr},
                   {"error", nullptr},
                   {"incomplete_details", nullptr},
                   {"model", model.id},
                   {"output", Json::array()},
                   {"temperature", effective(fields.temperature, model.loaded.defaults.temperature)},
                   {"top_p", effective(fields.top_p, model.loaded.defaults.top_p)},
                   {"usage", nullptr}};
  response.update(request.repeated);
  return as_begun(std::move(response));
}

Json ended_response(Json response, Json output, const TokenUsage& usage, std::string_view finish_reason) {
  const bool is_cut = finish_reason == "length";
  response["status"] = is_cut ? "incomplete" : "completed";
  if (is_cut)
    response["incomplete_details"] = {{"reason", "max_output_tokens"}};
  else
    response["completed_at"] = std::time(nullptr);
  response["output"] = std::move(output);
  response["usage"] = usage_of(usage);
  return response;
}

Json failed_response(Json response, Json output, const std::exception& error) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  const bool is_cancelled = ours && ours->code() == ErrorCode::kCancelled;
  response["status"] = is_cancelled ? "cancelled" : "failed";
  if (!is_cancelled)
    response["error"] = {{"code", "server_error"}, {"message", error_object(error)["error"]["message"]}};
  response["output"] = std::move(output);
  return response;
}

}  // namespace hearth
