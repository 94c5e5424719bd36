#include "server/openapi.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "server/openapi/openapi_parts.h"
#include "server/routes.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

void add_response(Json& operation, const char* status, std::string_view name) {
  Json& responses = operation["responses"];
  if (!responses.contains(status)) responses[status] = {{"$ref", fmt::format("#/components/responses/{}", name)}};
}

void add_parameter(Json& operation, std::string_view pattern) {
  const size_t begin = pattern.find('{'), end = pattern.find('}');
  if (begin == std::string_view::npos) return;
  operation["parameters"].push_back({{"name", pattern.substr(begin + 1, end - begin - 1)},
                                     {"in", "path"},
                                     {"required", true},
                                     {"schema", {{"type", "string"}}}});
  add_response(operation, "404", "NotFound");
}

void complete(Json& operation, const Route& route) {
  add_parameter(operation, route.pattern);
  operation["security"] = Json::array();
  if (route.is_public) return;
  for (const char* scheme : {"key", "x-api-key"}) operation["security"].push_back({{scheme, Json::array()}});
  operation["x-hearth-scope"] = scope_name(route.scope);
  add_response(operation, "401", "Unauthorized");
  add_response(operation, "403", "Forbidden");
  add_response(operation, "429", "TooManyRequests");
  add_response(operation, "503", "Unavailable");
  if (route.max_body_bytes == 0) return;
  operation["x-hearth-max-body-bytes"] = route.max_body_bytes;
  add_response(operation, "400", "BadRequest");
  add_response(operation, "404", "NotFound");
  add_response(operation, "413", "TooLarge");
}

Json make_document() {
  Json document;
  for (const std::string_view part : openapi_parts()) document.merge_patch(Json::parse(part));
  document["info"]["version"] = HEARTH_VERSION;
  Json& paths = document["paths"];
  for (const Route& route : routes()) {
    const std::string pattern(route.pattern), method = lower(route.method);
    if (paths.contains(pattern) && paths[pattern].contains(method)) complete(paths[pattern][method], route);
  }
  return document;
}

}  // namespace

const Json& openapi_document() {
  static const Json document = make_document();
  return document;
}

}  // namespace hearth
