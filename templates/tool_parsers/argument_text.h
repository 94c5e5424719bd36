// Pieces of arguments, as models spell them, as JSON.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace hearth {

// As Python's json.dumps writes it, but with every character as it is.
std::string json_line(const nlohmann::ordered_json& value);
// What stands for these bytes between the quotes of a JSON string; any part of a UTF-8 text.
std::string json_escaped(std::string_view bytes);

// Nothing (discarded) for what is no JSON or nests too deeply.
nlohmann::ordered_json parse_shallow_json(std::string_view text);

// A Python literal (text, number, list, tuple, dict, True, False, None, and JSON's names of those), or JSON. False
// where it is none.
bool read_python(std::string_view text, nlohmann::ordered_json& value);
// As Gemma 4 writes arguments: {key:value,...}, texts between <|"|>. False where it is none.
bool read_gemma4(std::string_view text, nlohmann::ordered_json& value);

// The types that a function's parameters (JSON Schema) declare for an argument: "string", "integer", ...; none where
// they do not say.
std::set<std::string> declared_types(const nlohmann::ordered_json& parameters, const std::string& key);
// A text between marks as an argument of one of those types, a text where it is nothing else.
nlohmann::ordered_json typed_argument(const std::string& text, const std::set<std::string>& types);

}  // namespace hearth
