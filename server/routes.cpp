#include "server/routes.h"

#include <fmt/format.h>

#include "runtime/base/log.h"
#include "server/anthropic/errors.h"
#include "server/api_error.h"
#include "server/app.h"
#include "server/metrics.h"
#include "server/rate_limiter.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

constexpr bool kPublic = true, kKeyed = false;
constexpr size_t kNoBody = 0;
constexpr size_t kPrompts = 16 << 20;       // bytes of a body that holds texts
constexpr size_t kConversation = 32 << 20;  // with images, as Anthropic's
constexpr size_t kOneText = 4 << 20;
constexpr size_t kUpload = 512 << 20;  // as OpenAI's
constexpr std::string_view kPrefix = "/v1", kModel = "{model}";

using enum Scope;

constexpr Route kRoutes[] = {
    {"GET", "/", handle_index, kInfer, kNoBody, kPublic},
    {"GET", "/web/{file}", handle_web_file, kInfer, kNoBody, kPublic},
    {"GET", "/v1/models", handle_list_models, kInfer, kNoBody},
    {"GET", "/v1/models/{model}", handle_get_model, kInfer, kNoBody},
    {"DELETE", "/v1/models/{model}", handle_delete_model, kAdmin, kNoBody},
    {"GET", "/v1/templates", handle_list_templates, kInfer, kNoBody},
    {"POST", "/v1/chat/completions", handle_chat_completions, kInfer, kConversation},
    {"POST", "/v1/messages", handle_messages, kInfer, kConversation, kKeyed, anthropic::error_reply},
    {"POST", "/v1/messages/count_tokens", handle_count_message_tokens, kInfer, kConversation, kKeyed,
     anthropic::error_reply},
    {"GET", "/v1/chat/completions", handle_list_completions, kInfer, kNoBody},
    {"GET", "/v1/chat/completions/{id}", handle_get_completion, kInfer, kNoBody},
    {"POST", "/v1/chat/completions/{id}", handle_update_completion, kInfer, kOneText},
    {"DELETE", "/v1/chat/completions/{id}", handle_delete_completion, kInfer, kNoBody},
    {"GET", "/v1/chat/completions/{id}/messages", handle_completion_messages, kInfer, kNoBody},
    {"POST", "/v1/responses", handle_create_response, kInfer, kConversation},
    {"GET", "/v1/responses/{id}", handle_get_response, kInfer, kNoBody},
    {"DELETE", "/v1/responses/{id}", handle_delete_response, kInfer, kNoBody},
    {"POST", "/v1/responses/{id}/cancel", handle_cancel_response, kInfer, kNoBody},
    {"GET", "/v1/responses/{id}/input_items", handle_response_input_items, kInfer, kNoBody},
    {"POST", "/v1/completions", handle_completions, kInfer, kPrompts},
    {"POST", "/v1/score/evaluation", handle_score_evaluation, kInfer, kPrompts},
    {"POST", "/v1/files", handle_upload_file, kTrain, kUpload},
    {"GET", "/v1/files", handle_list_files, kTrain, kNoBody},
    {"GET", "/v1/files/{id}", handle_get_file, kTrain, kNoBody},
    {"GET", "/v1/files/{id}/content", handle_file_content, kTrain, kNoBody},
    {"DELETE", "/v1/files/{id}", handle_delete_file, kTrain, kNoBody},
    {"POST", "/v1/fine_tuning/jobs", handle_create_fine_tuning_job, kTrain, kPrompts},
    {"GET", "/v1/fine_tuning/jobs", handle_list_fine_tuning_jobs, kTrain, kNoBody},
    {"GET", "/v1/fine_tuning/jobs/{id}", handle_get_fine_tuning_job, kTrain, kNoBody},
    {"POST", "/v1/fine_tuning/jobs/{id}/cancel", handle_cancel_fine_tuning_job, kTrain, kNoBody},
    {"POST", "/v1/fine_tuning/jobs/{id}/pause", handle_pause_fine_tuning_job, kTrain, kNoBody},
    {"POST", "/v1/fine_tuning/jobs/{id}/resume", handle_resume_fine_tuning_job, kTrain, kNoBody},
    {"GET", "/v1/fine_tuning/jobs/{id}/events", handle_fine_tuning_events, kTrain, kNoBody},
    {"GET", "/v1/fine_tuning/jobs/{id}/checkpoints", handle_fine_tuning_checkpoints, kTrain, kNoBody},
    {"GET", "/v1/datasets", handle_list_datasets, kAdmin, kNoBody},
    {"POST", "/v1/datasets", handle_create_dataset, kAdmin, kOneText},
    {"POST", "/v1/datasets/preview", handle_preview, kAdmin, kOneText},
    {"DELETE", "/v1/datasets/{id}", handle_delete_dataset, kAdmin, kNoBody},
    {"POST", "/v1/jobs", handle_create_job, kAdmin, kPrompts},
    {"GET", "/v1/jobs", handle_list_jobs, kAdmin, kNoBody},
    {"GET", "/v1/jobs/{id}", handle_get_job, kAdmin, kNoBody},
    {"POST", "/v1/jobs/{id}/cancel", handle_cancel_job, kAdmin, kNoBody},
    {"POST", "/v1/jobs/{id}/pause", handle_pause_job, kAdmin, kNoBody},
    {"POST", "/v1/jobs/{id}/resume", handle_resume_job, kAdmin, kNoBody},
    {"GET", "/v1/jobs/{id}/events", handle_job_events, kAdmin, kNoBody},
    {"GET", "/v1/jobs/{id}/log", handle_job_log, kAdmin, kNoBody},
    {"GET", "/v1/jobs/{id}/files", handle_list_job_files, kAdmin, kNoBody},
    {"GET", "/v1/jobs/{id}/files/content", handle_job_file_content, kAdmin, kNoBody},
    {"GET", "/v1/jobs/{id}/files/archive", handle_job_archive, kAdmin, kNoBody},
    {"POST", "/v1/pulls", handle_start_pull, kAdmin, kOneText},
    {"GET", "/v1/pulls", handle_list_pulls, kAdmin, kNoBody},
    {"POST", "/v1/pulls/{id}/cancel", handle_cancel_pull, kAdmin, kNoBody},
    {"POST", "/tokenize", handle_tokenize, kInfer, kOneText},
    {"POST", "/detokenize", handle_detokenize, kInfer, kOneText},
    {"GET", "/tokenizer_info", handle_tokenizer_info, kInfer, kNoBody},
    {"POST", "/apply-template", handle_apply_template, kInfer, kConversation},
    {"GET", "/metrics", handle_metrics, kInfer, kNoBody},
    {"GET", "/openapi.json", handle_openapi, kInfer, kNoBody},
    {"GET", "/health", handle_health, kInfer, kNoBody, kPublic},
    {"GET", "/healthz", handle_health, kInfer, kNoBody, kPublic},
    {"GET", "/readyz", handle_ready, kInfer, kNoBody, kPublic},
};

std::optional<std::string> match_with_or_without_prefix(std::string_view pattern, std::string_view path) {
  if (auto argument = match_pattern(pattern, path)) return argument;
  return pattern.starts_with(kPrefix) ? match_pattern(pattern.substr(kPrefix.size()), path) : std::nullopt;
}

ApiError unknown_url(const Request& request) {
  const std::string hint = request.path.starts_with("/v1/v1/") ? "; the client's base URL has one /v1 too many"
                                                               : "; GET / lists what there is";
  return {ErrorCode::kNotFound,
          fmt::format("no route {} {}{}", request.method, request.path, hint),
          {.code = "unknown_url"}};
}

ApiError out_of_scope(const ApiKey& key, const Route& route) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{} {} needs the scope '{}', which the key '{}' lacks; it has {}", route.method, route.pattern,
                      scope_name(route.scope), key.name, key.scopes.text()),
          {.code = "permission_denied", .status = 403}};
}

ApiError foreign_page(const Request& request) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("pages of {:?} may not use this server; --cors-origin names those that may",
                      request.header("Origin").value_or("").substr(0, 128)),
          {.code = "permission_denied", .status = 403}};
}

Reply wrong_method(const Request& request, const std::string& methods) {
  Reply reply = error_reply(ApiError(ErrorCode::kInvalidArgument,
                                     fmt::format("{} has no {}, only {}", request.path, request.method, methods),
                                     {.code = "method_not_allowed", .status = 405}));
  reply.headers.emplace("Allow", methods);
  return reply;
}

bool is_notable(int status) { return status == 401 || status == 403 || status == 429 || status == 500; }

}  // namespace

std::span<const Route> routes() { return kRoutes; }

// A model's id may have slashes, so it is the last of its pattern; all others are one name between two slashes.
std::optional<std::string> match_pattern(std::string_view pattern, std::string_view path) {
  const size_t begin = pattern.find('{');
  if (begin == std::string_view::npos) return pattern == path ? std::optional<std::string>("") : std::nullopt;
  const std::string_view before = pattern.substr(0, begin), after = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after))
    return std::nullopt;
  path.remove_prefix(before.size());
  path.remove_suffix(after.size());
  if (!pattern.ends_with(kModel) && path.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(path);
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path.empty() || path == kPrefix) path = "/";
  RouteMatch result;
  for (const Route& route : kRoutes) {
    std::optional<std::string> argument = match_with_or_without_prefix(route.pattern, path);
    if (!argument) continue;
    if (route.method == method) return {&route, std::move(*argument), ""};
    if (!result.other_methods.empty()) result.other_methods += ", ";
    result.other_methods += route.method;
  }
  return result;
}

Api::Api(App& app, const AppOptions& options, KeyStore* keys)
    : app_(app),
      host_(options.host),
      keys_(options.api_keys, keys),
      limiter_(options.rate_limits),
      cors_(options.cors_origins) {}

std::optional<Reply> Api::refuse(Request& request) {
  if (!is_host_allowed(request.header("Host"), host_))
    throw ApiError(
        ErrorCode::kInvalidArgument,
        "the Host header does not name this machine; a daemon on a loopback address answers to localhost only",
        {.code = "permission_denied", .status = 403});
  if (request.method == "OPTIONS") return cors_.preflight(request);
  RouteMatch found = find_route(request.method, request.path);
  if (found.route) request.route = found.route->pattern;
  const bool is_public = found.route && found.route->is_public;
  const bool needs_key = !is_public && keys_.required();
  const std::shared_ptr<const ApiKey> key =
      needs_key ? keys_.find(request.header("Authorization"), request.header("x-api-key")) : nullptr;
  if (needs_key && !key)
    throw ApiError(ErrorCode::kInvalidArgument,
                   "the API key is missing or wrong; send 'Authorization: Bearer KEY' or 'x-api-key: KEY'",
                   {.code = "invalid_api_key", .status = 401});
  // A key is not sent along by itself; without one, any page that is open in a browser here could act for its user.
  if (!is_public && !needs_key && !cors_.admits(request)) throw foreign_page(request);
  if (!found.route && found.other_methods.empty()) throw unknown_url(request);
  if (!found.route) return wrong_method(request, found.other_methods);
  request.path_argument = std::move(found.argument);
  request.streams_body = std::holds_alternative<StreamHandler>(found.route->handler);
  request.max_body_bytes = found.route->max_body_bytes;
  if (is_public) return std::nullopt;
  if (key && !key->scopes.allow(found.route->scope)) throw out_of_scope(*key, *found.route);
  request.admission = limiter_.admit(key.get(), request.received);
  if (request.admission->refusal) throw ApiError(*request.admission->refusal);
  return std::nullopt;
}

Reply Api::handle(const Request& request) {
  const RouteMatch found = find_route(request.method, request.path);
  if (const auto* whole = std::get_if<WholeHandler>(&found.route->handler)) return (*whole)(request, app_);
  return std::get<StreamHandler>(found.route->handler)(request, *request.body_reader, app_);
}

Reply Api::error_answer(const Request& request, const std::exception& error) {
  const RouteMatch found = find_route(request.method, request.path);
  return found.route && found.route->errors ? found.route->errors(request, error) : error_reply(error);
}

void Api::decorate(const Request& request, Reply& reply) {
  cors_.decorate(request, reply);
  if (request.admission) reply.headers.insert(request.admission->headers.begin(), request.admission->headers.end());
}

// Probes and lists that went well are not worth a line.
void Api::finished(const Request& request, int status, double seconds) {
  const std::string_view route = request.route.empty() ? "other" : std::string_view(request.route);
  app_.metrics().request(route, status, seconds);
  if (request.method == "GET" && !is_notable(status)) return;
  const std::string_view key = request.admission ? std::string_view(request.admission->key_name) : "";
  // The client's own id joins the two logs; it is data from outside, so it is cut and quoted.
  const std::string_view theirs = request.header("X-Client-Request-Id").value_or("").substr(0, 64);
  std::string line = fmt::format("{} {} {} {} in {:.0f} ms", request.id, request.method, route, status, seconds * 1e3);
  if (!key.empty()) line += fmt::format(" (key: {})", key);
  if (!theirs.empty()) line += fmt::format(" (client: {:?})", theirs);
  log::write(log::Level::kInfo, line,
             {{"request_id", request.id},
              {"method", request.method},
              {"route", route},
              {"status", status},
              {"ms", seconds * 1e3},
              {"key", key},
              {"client", request.remote_address},
              {"client_request_id", theirs}});
}

}  // namespace hearth
