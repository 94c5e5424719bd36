#include "server/api_error.h"

#include "runtime/base/log.h"

namespace hearth {
namespace {

struct Translation {
  int status;
  const char* type;
  const char* code;  // null: JSON's null
};

Translation translate(ErrorCode code) {
  constexpr const char* kInvalidRequest = "invalid_request_error";
  constexpr const char* kServer = "server_error";
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kFailedPrecondition:
      return {400, kInvalidRequest, nullptr};
    case ErrorCode::kNotFound:
      return {404, kInvalidRequest, "not_found"};
    case ErrorCode::kResourceExhausted:
      return {503, kServer, "server_overloaded"};
    case ErrorCode::kUnavailable:
      return {503, kServer, "unavailable"};
    case ErrorCode::kCancelled:
      return {499, kInvalidRequest, "cancelled"};
    case ErrorCode::kDataCorruption:
    case ErrorCode::kInternal:
      break;
  }
  return {500, kServer, "internal_error"};
}

const char* type_of_status(int status, const char* otherwise) {
  if (status == 403) return "permission_error";
  if (status == 429) return "requests";
  return status >= 500 ? "server_error" : status >= 400 ? "invalid_request_error" : otherwise;
}

}  // namespace

ApiError invalid_field(const std::string& param, const std::string& message) {
  return {ErrorCode::kInvalidArgument, message, {.code = "invalid_value", .param = param}};
}

ApiError unsupported_field(const std::string& param, const std::string& message) {
  return {ErrorCode::kInvalidArgument, message, {.code = "unsupported_parameter", .param = param}};
}

HttpError http_error(const std::exception& error) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  const auto* api = dynamic_cast<const ApiError*>(&error);
  const Translation base = translate(ours ? ours->code() : ErrorCode::kInternal);
  const ApiErrorDetails details = api ? api->details() : ApiErrorDetails{};
  HttpError out{.status = details.status ? details.status : base.status};
  // What other libraries throw may name paths and addresses; it belongs into the log.
  out.fields["message"] = ours ? error.what() : "internal error; the server's log has the cause";
  out.fields["type"] = details.status ? type_of_status(out.status, base.type) : base.type;
  out.fields["param"] = details.param.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(details.param);
  out.fields["code"] = !details.code.empty() ? nlohmann::ordered_json(details.code)
                       : base.code           ? nlohmann::ordered_json(base.code)
                                             : nlohmann::ordered_json();
  if (out.status == 401) out.headers.emplace("WWW-Authenticate", "Bearer");
  if (details.retry_after_seconds || out.status == 503)
    out.headers.emplace("Retry-After", std::to_string(details.retry_after_seconds.value_or(1)));
  // The same request would fail again.
  if (out.status == 500 || out.status == 507) out.headers.emplace("x-should-retry", "false");
  if (out.status == 500) log::error("internal error: {}", error.what());
  if (out.status == 507) log::error("{}", error.what());
  return out;
}

Reply error_reply(const std::exception& error) {
  HttpError found = http_error(error);
  Reply reply = json_reply({{"error", std::move(found.fields)}}, found.status);
  reply.headers = std::move(found.headers);
  return reply;
}

nlohmann::ordered_json error_object(const std::exception& error) { return {{"error", http_error(error).fields}}; }

}  // namespace hearth
