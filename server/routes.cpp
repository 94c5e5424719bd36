#include "server/routes.h"

#include <fmt/format.h>

#include "runtime/base/log.h"
#include "server/api_error.h"
#include "server/app.h"
#include "server/metrics.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

constexpr bool kPublic = true;
constexpr std::string_view kPrefix = "/v1", kModel = "{model}";

constexpr Route kRoutes[] = {
    {"GET", "/", handle_index},
    {"GET", "/v1/models", handle_list_models},
    {"GET", "/v1/models/{model}", handle_get_model},
    {"POST", "/v1/chat/completions", handle_chat_completions},
    {"POST", "/v1/completions", handle_completions},
    {"POST", "/v1/score/evaluation", handle_score_evaluation},
    {"POST", "/v1/files", handle_upload_file},
    {"GET", "/v1/files", handle_list_files},
    {"GET", "/v1/files/{id}", handle_get_file},
    {"GET", "/v1/files/{id}/content", handle_file_content},
    {"DELETE", "/v1/files/{id}", handle_delete_file},
    {"POST", "/v1/jobs", handle_create_job},
    {"GET", "/v1/jobs", handle_list_jobs},
    {"GET", "/v1/jobs/{id}", handle_get_job},
    {"POST", "/v1/jobs/{id}/cancel", handle_cancel_job},
    {"POST", "/v1/jobs/{id}/pause", handle_pause_job},
    {"POST", "/v1/jobs/{id}/resume", handle_resume_job},
    {"GET", "/v1/jobs/{id}/events", handle_job_events},
    {"GET", "/v1/jobs/{id}/log", handle_job_log},
    {"POST", "/tokenize", handle_tokenize},
    {"POST", "/detokenize", handle_detokenize},
    {"POST", "/apply-template", handle_apply_template},
    {"GET", "/metrics", handle_metrics},
    {"GET", "/health", handle_health, kPublic},
    {"GET", "/healthz", handle_health, kPublic},
    {"GET", "/readyz", handle_ready, kPublic},
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

Api::Api(App& app, const AppOptions& options)
    : app_(app), host_(options.host), keys_(options.api_keys), cors_(options.cors_origins) {}

std::optional<Reply> Api::refuse(Request& request) {
  if (!is_host_allowed(request.header("Host"), host_))
    throw ApiError(
        ErrorCode::kInvalidArgument,
        "the Host header does not name this machine; a daemon on a loopback address answers to localhost only",
        {.code = "permission_denied", .status = 403});
  if (request.method == "OPTIONS") return cors_.preflight(request);
  RouteMatch found = find_route(request.method, request.path);
  if (keys_.required() && !(found.route && found.route->is_public) && !keys_.accepts(request.header("Authorization")))
    throw ApiError(ErrorCode::kInvalidArgument, "the API key is missing or wrong; send 'Authorization: Bearer KEY'",
                   {.code = "invalid_api_key", .status = 401});
  if (!found.route && found.other_methods.empty()) throw unknown_url(request);
  if (!found.route) {
    Reply reply =
        error_reply(ApiError(ErrorCode::kInvalidArgument,
                             fmt::format("{} has no {}, only {}", request.path, request.method, found.other_methods),
                             {.code = "method_not_allowed", .status = 405}));
    reply.headers.emplace("Allow", found.other_methods);
    return reply;
  }
  request.route = found.route->pattern;
  request.path_argument = std::move(found.argument);
  request.streams_body = std::holds_alternative<StreamHandler>(found.route->handler);
  return std::nullopt;
}

Reply Api::handle(const Request& request) {
  const RouteMatch found = find_route(request.method, request.path);
  if (const auto* whole = std::get_if<WholeHandler>(&found.route->handler)) return (*whole)(request, app_);
  return std::get<StreamHandler>(found.route->handler)(request, *request.body_reader, app_);
}

void Api::decorate(const Request& request, Reply& reply) { cors_.decorate(request, reply); }

void Api::finished(const Request& request, int status, double seconds) {
  app_.metrics().request(request.route.empty() ? "other" : request.route, status, seconds);
  // The client's own id joins the two logs; it is data from outside, so it is cut and quoted.
  const std::string_view theirs = request.header("X-Client-Request-Id").value_or("").substr(0, 64);
  if (request.method == "POST" || status == 500)
    log::info("{} {} {} {} in {:.0f} ms{}", request.id, request.method, request.route, status, seconds * 1e3,
              theirs.empty() ? "" : fmt::format(" (client: {:?})", theirs));
}

}  // namespace hearth
