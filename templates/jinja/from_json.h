// JSON as a template's values.
#pragma once

#include <nlohmann/json.hpp>

#include "templates/jinja/render_state.h"

namespace hearth::jinja {

// `literal` marks every string of it as a user's or a tool's. Throws Fault for JSON that is nested too deep.
Value from_json(RenderState& state, const nlohmann::ordered_json& json, bool literal, int depth = 0);
Value from_text(RenderState& state, const std::string& bytes, bool literal);

}  // namespace hearth::jinja
