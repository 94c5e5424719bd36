// Errors as Anthropic's clients understand them: {"type": "error", "error": {"type", "message"}, "request_id"}.
// Statuses are those of every other route (server/api_error.h); the message names the field, for there is no "param".
#pragma once

#include <exception>

#include "server/http_types.h"

namespace hearth::anthropic {

Reply error_reply(const Request& request, const std::exception& error);
// The object alone, for an event of a stream whose headers are out.
nlohmann::ordered_json error_object(const std::exception& error, const std::string& request_id);
// The header by which Anthropic's clients know a request, on `reply`.
Reply with_request_id(Reply reply, const Request& request);

}  // namespace hearth::anthropic
