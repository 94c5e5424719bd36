#include "server/anthropic/errors.h"

#include <utility>

#include "server/api_error.h"

namespace hearth::anthropic {
namespace {

using Json = nlohmann::ordered_json;

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

Json object_of(const HttpError& error, const std::string& request_id) {
  std::string message = error.fields["message"];
  const std::string param = error.fields["param"].is_string() ? error.fields["param"].get<std::string>() : "";
  if (!param.empty() && message.find(param) == std::string::npos) message = param + ": " + message;
  return {{"type", "error"},
          {"error", {{"type", type_of(error.status)}, {"message", std::move(message)}}},
          {"request_id", request_id}};
}

}  // namespace

Reply error_reply(const Request& request, const std::exception& error) {
  HttpError found = http_error(error);
  Reply reply = json_reply(object_of(found, request.id), found.status);
  reply.headers = std::move(found.headers);
  return with_request_id(std::move(reply), request);
}

Json error_object(const std::exception& error, const std::string& request_id) {
  return object_of(http_error(error), request_id);
}

Reply with_request_id(Reply reply, const Request& request) {
  reply.headers.emplace("request-id", request.id);
  return reply;
}

}  // namespace hearth::anthropic
