// JSON values as Python writes them, to the character: what the reference's templates were made with.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace hearth {

// Nothing when it is no JSON or nested deeper than any schema.
std::optional<nlohmann::ordered_json> parse_json_text(std::string_view text);
// json.dumps(value, ensure_ascii=False); with `indented`, indent=4. Throws kInvalidArgument for JSON nested too deep.
std::string python_json(const nlohmann::ordered_json& value, bool indented = false);
// str(value)
std::string python_str(const nlohmann::ordered_json& value);

}  // namespace hearth
