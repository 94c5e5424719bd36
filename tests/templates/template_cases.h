// Reading the cases that tests/golden/make_templates.py wrote.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "templates/chat_template.h"

namespace hearth {

// tests/golden/templates/NAME
nlohmann::ordered_json read_template_cases(const std::string& name);

// The inputs of a case, at the time at which the golden outputs were made (in UTC, which the call makes the process's
// time zone).
ChatTemplateInputs case_inputs(const nlohmann::ordered_json& conversation);

// Whether a failure is the reference's "Type: message": a text that the template raised is the whole message, and what
// is undefined is named alike.
bool same_error(const Error& error, const std::string& reference);

constexpr const char* kBosToken = "<s>";
constexpr const char* kEosToken = "</s>";

}  // namespace hearth
