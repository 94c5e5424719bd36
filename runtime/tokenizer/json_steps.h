// What the sections of tokenizer.json that are lists of typed steps have in common.
#pragma once

#include <string>
#include <vector>

#include "runtime/tokenizer/json_field.h"
#include "runtime/tokenizer/pretokenizer.h"

namespace hearth {

// The steps of a section: those of a Sequence's member `list` (nested ones flattened), or the section itself.
std::vector<JsonField> steps_of(const JsonField& section, const char* list);

// {"String": text} or {"Regex": pattern}.
struct JsonPattern {
  std::string text;
  bool is_regex;
};
JsonPattern read_pattern(const JsonField& field);

// A string of one character.
const std::string& read_character(const JsonField& field);

// A count that is not negative.
uint64_t read_count(const JsonField& field);

PrependScheme read_prepend_scheme(const JsonField& metaspace);

}  // namespace hearth
