#include "templates/tool_parsers/argument_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "templates/tool_parsers/mark_finder.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 100;
constexpr std::string_view kGemmaQuote = "<|\"|>";

// Values of Python, and with other quotes and bare keys those of Gemma 4.
class LiteralReader {
 public:
  LiteralReader(std::string_view text, bool is_gemma) : text_(text), is_gemma_(is_gemma) {}

  bool read_all(Json& value) {
    if (!read(value, 0)) return false;
    skip_blanks();
    return at_ == text_.size();
  }

 private:
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  bool read(Json& value, int depth) {
    skip_blanks();
    if (depth > kMaxDepth || at_ == text_.size()) return false;
    if (is_gemma_ && take(kGemmaQuote)) return read_gemma_text(value);
    const char c = text_[at_];
    if (c == '[' || c == '(') return read_list(value, c == '[' ? ']' : ')', depth);
    if (c == '{') return read_object(value, depth);
    if (c == '"' || (!is_gemma_ && c == '\'')) return read_text(value);
    return read_word(value);
  }

  bool read_gemma_text(Json& value) {
    const size_t end = text_.find(kGemmaQuote, at_);
    if (end == std::string_view::npos) return false;
    value = std::string(text_.substr(at_, end - at_));
    at_ = end + kGemmaQuote.size();
    return true;
  }

  bool read_text(Json& value) {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      const char c = text_[at_++];
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ == text_.size()) return false;
      if (!read_escape(out)) return false;
    }
    if (at_++ >= text_.size()) return false;
    value = std::move(out);
    return true;
  }

  bool read_escape(std::string& out) {
    const char c = text_[at_++];
    constexpr std::string_view kNames = "ntrbf0", kValues("\n\t\r\b\f\0", 6);
    if (const size_t found = kNames.find(c); found != std::string_view::npos) {
      out += kValues[found];
    } else if (c == 'u' || c == 'x') {
      // JSON's own reader knows \u, half of a pair among it.
      const size_t digits = c == 'u' ? 4 : 2;
      std::string spelled = "\"\\u" + std::string(4 - digits, '0') + std::string(text_.substr(at_, digits));
      at_ = std::min(text_.size(), at_ + digits);
      const bool is_half = (spelled[3] == 'd' || spelled[3] == 'D') &&
                           std::string_view("89abAB").find(spelled[4]) != std::string_view::npos;
      if (c == 'u' && is_half && text_.substr(at_).starts_with("\\u")) {
        spelled += text_.substr(at_, 6);
        at_ = std::min(text_.size(), at_ + 6);
      }
      const Json parsed = Json::parse(spelled + '"', nullptr, false);
      if (!parsed.is_string()) return false;
      out += parsed.get<std::string>();
    } else {
      if (c != '\\' && c != '"' && c != '\'' && c != '/') out += '\\';  // Python keeps those that it does not know
      out += c;
    }
    return true;
  }

  bool read_list(Json& value, char end, int depth) {
    ++at_;
    value = Json::array();
    for (;;) {
      skip_blanks();
      if (take(std::string_view(&end, 1))) return true;
      if (!value.empty() && !take(",")) return false;
      skip_blanks();
      if (take(std::string_view(&end, 1))) return true;
      if (!read(value.emplace_back(), depth + 1)) return false;
    }
  }

  bool read_object(Json& value, int depth) {
    ++at_;
    value = Json::object();
    for (bool first = true;; first = false) {
      skip_blanks();
      if (take("}")) return true;
      if (!first && !take(",")) return false;
      skip_blanks();
      if (take("}")) return true;
      std::string key;
      if (!read_key(key)) return false;
      skip_blanks();
      if (!take(":") || !read(value[key], depth + 1)) return false;
    }
  }

  bool read_key(std::string& key) {
    Json quoted;
    if (is_gemma_ && take(kGemmaQuote)) {
      if (!read_gemma_text(quoted)) return false;
    } else if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      if (!read_text(quoted)) return false;
    } else if (is_gemma_) {
      const size_t end = text_.find(':', at_);
      if (end == std::string_view::npos) return false;
      quoted = std::string(text_.substr(at_, end - at_));
      at_ = end;
    } else {
      return false;
    }
    key = quoted.get<std::string>();
    return true;
  }

  bool read_word(Json& value) {
    const size_t end = std::min(text_.find_first_of(",]}) \n\t\r", at_), text_.size());
    const std::string word(text_.substr(at_, end - at_));
    at_ = end;
    if (word == "True" || word == "true") {
      value = true;
    } else if (word == "False" || word == "false") {
      value = false;
    } else if (word == "None" || word == "null") {
      value = nullptr;
    } else {
      value = Json::parse(word, nullptr, false);
      return value.is_number();
    }
    return true;
  }

  std::string_view text_;
  bool is_gemma_;
  size_t at_ = 0;
};

// In the words of JSON Schema.
std::string type_of(const Json& value) {
  if (value.is_number_integer()) return "integer";
  return value.type_name();
}

void add_types(const Json& parameters, const Json& schema, int depth, std::set<std::string>& types) {
  constexpr int kMaxReferences = 8;
  if (!schema.is_object() || depth > kMaxReferences) return;
  constexpr std::string_view kLocal = "#/$defs/";
  if (const auto reference = schema.find("$ref"); reference != schema.end() && reference->is_string()) {
    const std::string name = reference->get<std::string>();
    const auto definitions = parameters.find("$defs");
    if (name.starts_with(kLocal) && definitions != parameters.end() && definitions->is_object())
      add_types(parameters, definitions->value(name.substr(kLocal.size()), Json()), depth + 1, types);
  }
  const auto add = [&](const Json& type) {
    if (type.is_string()) types.insert(type.get<std::string>());
  };
  const Json type = schema.value("type", Json());
  add(type);
  if (type.is_array()) std::ranges::for_each(type, add);
  if (schema.contains("const")) types.insert(type_of(schema.at("const")));
  if (const auto values = schema.find("enum"); type.is_null() && values != schema.end() && values->is_array())
    for (const Json& value : *values) types.insert(type_of(value));
  for (const char* key : {"anyOf", "oneOf"})
    if (const auto members = schema.find(key); members != schema.end() && members->is_array())
      for (const Json& member : *members) add_types(parameters, member, depth + 1, types);
}

}  // namespace

std::string json_line(const Json& value) {
  // Blanks behind commas and colons, which dump() does not write on one line.
  if (value.is_array() || value.is_object()) {
    std::string out;
    for (const auto& [key, item] : value.items()) {
      if (!out.empty()) out += ", ";
      if (value.is_object()) out += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      out += json_line(item);
    }
    return value.is_array() ? "[" + out + "]" : "{" + out + "}";
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_escaped(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out;
}

Json parse_shallow_json(std::string_view text) {
  int depth = 0, deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  if (deepest > kMaxDepth) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

bool read_python(std::string_view text, Json& value) { return LiteralReader(text, false).read_all(value); }

bool read_gemma4(std::string_view text, Json& value) { return LiteralReader(text, true).read_all(value); }

std::set<std::string> declared_types(const Json& parameters, const std::string& key) {
  std::set<std::string> types;
  if (!parameters.is_object()) return types;
  const auto properties = parameters.find("properties");
  if (properties == parameters.end() || !properties->is_object() || !properties->contains(key)) return types;
  add_types(parameters, properties->at(key), 0, types);
  return types;
}

Json typed_argument(const std::string& text, const std::set<std::string>& types) {
  if (types == std::set<std::string>{"string"}) return text;
  const auto fits = [&](const Json& value) {
    return types.contains(type_of(value)) || (value.is_number_integer() && types.contains("number"));
  };
  const Json parsed = parse_shallow_json(text);
  if (!parsed.is_discarded() && (types.empty() ? !parsed.is_string() : fits(parsed) && !parsed.is_string()))
    return parsed;
  if (Json value; !types.empty() && read_python(text, value) && fits(value) && !value.is_string()) return value;
  if (types.empty() || types.contains("string")) return text;
  return parsed.is_discarded() ? Json(text) : parsed;
}

}  // namespace hearth
