// Errors as OpenAI's clients understand them: {"error": {"message", "type", "param", "code"}}, all four keys always
// there. This is the one place where an exception becomes an HTTP status (reference: openai-http.md 2.10). 409 and 422
// are never used: clients retry the first and have no class for the second.
#pragma once

#include <exception>
#include <optional>
#include <string>

#include "runtime/base/error.h"
#include "server/http_types.h"

namespace hearth {

// What an Error does not carry. Statuses follow from the code alone unless set here.
struct ApiErrorDetails {
  std::string code = {};   // "context_length_exceeded"; empty: null, or what the status suggests
  std::string param = {};  // "messages[2].role"; empty: null
  int status = 0;
  std::optional<int> retry_after_seconds = {};
};

class ApiError : public Error {
 public:
  ApiError(ErrorCode code, const std::string& message, ApiErrorDetails details)
      : Error(code, message), details_(std::move(details)) {}
  const ApiErrorDetails& details() const { return details_; }

 private:
  ApiErrorDetails details_;
};

// 400 with the field's path.
ApiError invalid_field(const std::string& param, const std::string& message);
// 400: a field that hearth knows and cannot honour; it is never ignored in silence.
ApiError unsupported_field(const std::string& param, const std::string& message);

// What any exception is to HTTP: hearth::Error by its code, everything else 500. What is the daemon's own fault goes to
// the log.
struct HttpError {
  int status = 500;
  nlohmann::ordered_json fields = {};  // message, type, param, code
  Headers headers = {};
};
HttpError http_error(const std::exception& error);

Reply error_reply(const std::exception& error);
// The object alone, for an event of a stream whose headers are out.
nlohmann::ordered_json error_object(const std::exception& error);

}  // namespace hearth
