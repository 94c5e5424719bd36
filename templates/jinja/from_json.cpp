#include "templates/jinja/from_json.h"

namespace hearth::jinja {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxJsonDepth = kMaxNesting - 10;

}  // namespace

Value from_text(RenderState& state, const std::string& bytes, bool literal) {
  state.allocate(bytes.size());
  String string{bytes, {}};
  if (literal && !bytes.empty()) string.literal.push_back({0, bytes.size()});
  return std::make_shared<const String>(std::move(string));
}

Value from_json(RenderState& state, const Json& json, bool literal, int depth) {
  if (depth > kMaxJsonDepth) throw fault("JSON nested more than {} deep", kMaxJsonDepth);
  state.step();
  switch (json.type()) {
    case Json::value_t::null:
      return None{};
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return static_cast<Int>(json.get<int64_t>());
    case Json::value_t::number_unsigned:
      return static_cast<Int>(json.get<uint64_t>());
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return from_text(state, json.get_ref<const std::string&>(), literal);
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(from_json(state, item, literal, depth + 1));
      return state.list(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<Dict::Entry> entries;
      entries.reserve(json.size());
      for (const auto& [key, value] : json.items())
        entries.emplace_back(from_text(state, key, literal), from_json(state, value, literal, depth + 1));
      return state.dict(std::move(entries));
    }
    default:
      throw fault("JSON holds a value that is none of JSON's");
  }
}

}  // namespace hearth::jinja
