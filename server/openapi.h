// The document behind GET /openapi.json (OpenAPI 3.1.0): what each route takes and gives is written by hand in
// server/openapi/*.json; who may call it, its path parameter, its limits and the ways in which it refuses follow from
// the route table, so they are true by construction.
#pragma once

#include <nlohmann/json.hpp>

namespace hearth {

// Made once.
const nlohmann::ordered_json& openapi_document();

}  // namespace hearth
