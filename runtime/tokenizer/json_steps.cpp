#include "runtime/tokenizer/json_steps.h"

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

constexpr int kMaxNesting = 16;  // of Sequences

void flatten(const JsonField& section, const char* list, int depth, std::vector<JsonField>& steps) {
  if (section["type"].string() != "Sequence") {
    steps.push_back(section);
    return;
  }
  if (depth == kMaxNesting) throw data_corruption("{}: Sequences are nested too deeply", section.place());
  for (const JsonField& step : section[list].elements()) flatten(step, list, depth + 1, steps);
}

}  // namespace

std::vector<JsonField> steps_of(const JsonField& section, const char* list) {
  std::vector<JsonField> steps;
  if (!section.is_null()) flatten(section, list, 0, steps);
  return steps;
}

JsonPattern read_pattern(const JsonField& field) {
  if (field.has("Regex")) return {field["Regex"].string(), true};
  return {field["String"].string(), false};
}

const std::string& read_character(const JsonField& field) {
  if (utf8::count(field.string()) != 1) throw data_corruption("{}: must be one character", field.place());
  return field.string();
}

uint64_t read_count(const JsonField& field) {
  if (field.integer() < 0) throw data_corruption("{}: must not be negative", field.place());
  return static_cast<uint64_t>(field.integer());
}

PrependScheme read_prepend_scheme(const JsonField& metaspace) {
  const std::string name =
      metaspace.string("prepend_scheme", metaspace.boolean("add_prefix_space", true) ? "always" : "never");
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  metaspace["prepend_scheme"].unsupported(fmt::format("'{}'", name), "always, first, never");
}

}  // namespace hearth
