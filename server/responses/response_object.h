// OpenAI's response object: what it is when it begins and what it becomes. Source: the openai client's
// types/responses/response.py.
#pragma once

#include <exception>
#include <string_view>

#include <nlohmann/json.hpp>

#include "server/generation.h"
#include "server/responses/response_request.h"
#include "server/served_model.h"

namespace hearth {

// Before anything was answered: queued where it runs in the background, else in_progress.
nlohmann::ordered_json new_response(const ResponseRequest& request, const ServedModel& model);
// The same object as it was when it was new.
nlohmann::ordered_json as_begun(nlohmann::ordered_json response);

// `response` with its output: completed, or incomplete after the finish reason "length".
nlohmann::ordered_json ended_response(nlohmann::ordered_json response, nlohmann::ordered_json output,
                                      const TokenUsage& usage, std::string_view finish_reason);
// Cancelled where that is what `error` says, else failed.
nlohmann::ordered_json failed_response(nlohmann::ordered_json response, nlohmann::ordered_json output,
                                       const std::exception& error);

}  // namespace hearth
