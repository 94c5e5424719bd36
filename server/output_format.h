// What a request says its answer must be: OpenAI's response_format, and what llama.cpp and vLLM call the same
// (json_schema, grammar; guided_json and its kin, structured_outputs).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "runtime/grammar/grammar_cache.h"
#include "runtime/grammar/json_schema.h"
#include "server/api_error.h"
#include "server/json_reader.h"

namespace hearth {

struct OutputFormat {
  enum class Kind { kJsonObject, kJsonSchema, kRegex, kChoice, kGrammar };
  Kind kind = Kind::kJsonObject;
  nlohmann::ordered_json value = {};  // the schema, the regular expression, the texts, the grammar in GBNF
  std::string param = {};             // the field that has it: "response_format.json_schema.schema"
};

// Nothing where any text may come. Throws a 400.
std::optional<OutputFormat> read_output_format(const JsonReader& body);

// Both throw a 400 for what cannot be enforced; its param is the place within a schema as a JSON pointer into the body.
Grammar grammar_of(const OutputFormat& format);
std::shared_ptr<TokenGrammar> compile(const OutputFormat& format, GrammarCache& grammars);

// A 400 for what a schema at `param` ("tools[0].function.parameters") says and cannot be enforced.
ApiError unsupported_schema(const std::string& param, const SchemaError& error);

}  // namespace hearth
