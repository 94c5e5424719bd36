#include "templates/llamafactory/python_text.h"

#include "runtime/base/error.h"
#include "templates/jinja/format.h"
#include "templates/jinja/from_json.h"

namespace hearth {
namespace {

template <class Append>
std::string written(const nlohmann::ordered_json& value, const Append& append) {
  jinja::RenderState state(jinja::Limits{}, /*now=*/0);
  jinja::StringBuilder out(state);
  try {
    append(out, jinja::from_json(state, value, /*literal=*/false));
  } catch (const jinja::Fault& fault) {
    throw invalid_argument("tools: {}", fault.what());
  }
  return out.take().bytes;
}

constexpr int kMaxDepth = 200;

}  // namespace

std::optional<nlohmann::ordered_json> parse_json_text(std::string_view text) {
  using Json = nlohmann::ordered_json;
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) { return !(too_deep |= depth > kMaxDepth); };
  Json json = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (too_deep || json.is_discarded()) return std::nullopt;
  return json;
}

std::string python_json(const nlohmann::ordered_json& value, bool indented) {
  jinja::JsonStyle style;
  if (indented) {
    style.indent = "    ";
    style.item_separator = ",";
  }
  return written(value, [&](jinja::StringBuilder& out, const jinja::Value& v) { append_json(out, v, style); });
}

std::string python_str(const nlohmann::ordered_json& value) {
  return written(value, [](jinja::StringBuilder& out, const jinja::Value& v) { append_str(out, v); });
}

}  // namespace hearth
