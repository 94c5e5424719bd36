// json.dumps as transformers' tojson filter calls it.
#include <algorithm>
#include <cmath>

#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"
#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

void append_escape(std::string& out, uint32_t unit) { out += fmt::format("\\u{:04x}", unit); }

void append_escaped(std::string& out, std::string_view piece, bool ensure_ascii) {
  for (size_t i = 0; i < piece.size();) {
    const CodePoint c = decode(piece, i);
    switch (c.value) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (c.value < 0x20 || (ensure_ascii && c.value > 0x7e && c.value < 0x10000)) {
          append_escape(out, static_cast<uint32_t>(c.value));
        } else if (ensure_ascii && c.value >= 0x10000) {
          const auto rest = static_cast<uint32_t>(c.value) - 0x10000;
          append_escape(out, 0xd800 + (rest >> 10));
          append_escape(out, 0xdc00 + (rest & 0x3ff));
        } else {
          out += piece.substr(i, c.length);
        }
    }
    i += c.length;
  }
}

class JsonWriter {
 public:
  JsonWriter(StringBuilder& out, const JsonStyle& style) : out_(out), style_(style) {}

  void write(const Value& value, size_t depth) {
    const RenderState::Level level(out_.state());
    out_.state().step();
    switch (value.kind()) {
      case Kind::kNone:
        return out_.append("null");
      case Kind::kBool:
        return out_.append(value.boolean() ? "true" : "false");
      case Kind::kInt:
        return out_.append(int_text(value.integer()));
      case Kind::kFloat:
        return out_.append(number(value.floating()));
      case Kind::kString:
        return write_string(value.string());
      case Kind::kList:
        return write_list(value.list().items, depth);
      case Kind::kDict:
        return write_dict(value.dict(), depth);
      default:
        throw fault("Object of type {} is not JSON serializable", type_name(value));
    }
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_repr(value);
  }

  void write_string(const String& string) {
    out_.append("\"");
    for_each_piece(string, 0, string.bytes.size(), [&](std::string_view piece, bool literal) {
      std::string escaped;
      append_escaped(escaped, piece, style_.ensure_ascii);
      out_.append(escaped, literal);
    });
    out_.append("\"");
  }

  void new_line(size_t depth) {
    if (!style_.indent) return;
    out_.append("\n");
    out_.repeat(*style_.indent, depth);
  }

  void write_list(const std::vector<Value>& items, size_t depth) {
    if (items.empty()) return out_.append("[]");
    out_.append("[");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      new_line(depth + 1);
      write(items[i], depth + 1);
    }
    new_line(depth);
    out_.append("]");
  }

  void write_key(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        return write_string(key.string());
      case Kind::kNone:
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kFloat:
        out_.append("\"");
        write(key, 0);
        return out_.append("\"");
      default:
        throw fault("keys must be str, int, float, bool or None, not {}", type_name(key));
    }
  }

  void write_dict(const Dict& dict, size_t depth) {
    if (dict.entries.empty()) return out_.append("{}");
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(), [&](const Dict::Entry* a, const Dict::Entry* b) {
        return compare(out_.state(), Comparison::kLess, a->first, b->first);
      });
    }
    out_.append("{");
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      new_line(depth + 1);
      write_key(entries[i]->first);
      out_.append(style_.key_separator);
      write(entries[i]->second, depth + 1);
    }
    new_line(depth);
    out_.append("}");
  }

  StringBuilder& out_;
  const JsonStyle& style_;
};

}  // namespace

void append_json(StringBuilder& out, const Value& value, const JsonStyle& style) {
  JsonWriter(out, style).write(value, 0);
}

}  // namespace hearth::jinja
