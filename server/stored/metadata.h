// The metadata that clients hang on what is stored, and by which they find it again. Source: OpenAI's API reference.
#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "server/json_reader.h"
#include "server/query.h"

namespace hearth {

// An object of texts, empty where the field is absent. Throws a 400 for more than 16 pairs, keys of more than 64 and
// values of more than 512 characters.
nlohmann::ordered_json read_metadata(const JsonReader& field);

// ?metadata[KEY]=VALUE
std::map<std::string, std::string> read_metadata_filter(const Query& query);

}  // namespace hearth
