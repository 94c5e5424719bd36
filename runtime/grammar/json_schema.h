// JSON Schema (draft 2020-12) as a grammar of the JSON that it allows. What cannot be enforced is refused, never
// ignored: schema_reader.cpp has the keywords, annotations are passed over. Properties come in the order of the
// schema, others behind them; blanks are those that people write.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/grammar/grammar.h"

namespace hearth {

// kInvalidArgument: where in the schema (a JSON pointer) and why.
struct SchemaError : Error {
  SchemaError(std::string at, const std::string& what);
  std::string pointer;
};

// Throws SchemaError, also for a schema that no value satisfies.
Grammar json_schema_grammar(const nlohmann::ordered_json& schema);
// Any JSON object.
Grammar json_object_grammar();

}  // namespace hearth
