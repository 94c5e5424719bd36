// The methods of str.
#include <algorithm>
#include <limits>

#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"
#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

// A capital sigma at the end of a word becomes a final one (Unicode's Final_Sigma; the apostrophes and marks it may
// skip are those that words contain).
bool ends_word(std::string_view text, size_t position, size_t length) {
  size_t before = position;
  while (before > 0 && (static_cast<unsigned char>(text[before - 1]) & 0xc0) == 0x80) --before;
  if (before == 0 || !is_cased(decode(text, before - 1).value)) return false;
  const size_t after = position + length;
  return after >= text.size() || !is_cased(decode(text, after).value);
}

// Bytes [from, to) of the character range [start, stop) that find, count and kin take.
struct Window {
  size_t from = 0, to = 0;
  bool valid = true;
};

Window window(const Value& self, const Parameters& p, size_t first) {
  const std::string& bytes = self.bytes();
  Window w{0, bytes.size(), true};
  const auto given = [&](size_t i) { return p.get(i) && !p.get(i)->is(Kind::kNone); };
  if (!given(first) && !given(first + 1)) return w;
  const auto size = static_cast<int64_t>(count_code_points(bytes));
  const auto adjust = [&](int64_t i) { return i < 0 ? std::max<int64_t>(i + size, 0) : i; };
  const int64_t start = adjust(p.integer(first, 0)), stop = std::min(adjust(p.integer(first + 1, size)), size);
  if (start > stop) return {0, 0, false};
  w.from = byte_offset(bytes, static_cast<size_t>(start));
  w.to = byte_offset(bytes, static_cast<size_t>(stop));
  return w;
}

Value find(RenderState& state, const Value& self, const Parameters& p, bool last, bool must) {
  const Value& needle = p.text(0);
  const Window w = window(self, p, 1);
  const std::string_view text = std::string_view(self.bytes()).substr(w.from, w.to - w.from);
  state.scan(self.bytes().size() + needle.bytes().size());
  size_t found = kNone;
  if (w.valid) {
    found = find_text(text, needle.bytes());
    if (last && found != kNone) {
      for (size_t next = found; next != kNone; next = find_text(text, needle.bytes(), next + 1)) {
        state.scan(16 + needle.bytes().size());
        found = next;
      }
    }
  }
  if (found == kNone) {
    if (must) throw fault("substring not found");
    return -1;
  }
  return count_code_points(std::string_view(self.bytes()).substr(0, w.from + found));
}

Value count(RenderState& state, const Value& self, const Parameters& p) {
  const std::string& needle = p.text(0).bytes();
  const Window w = window(self, p, 1);
  if (!w.valid) return 0;
  const std::string_view text = std::string_view(self.bytes()).substr(w.from, w.to - w.from);
  state.scan(text.size());
  if (needle.empty()) return count_code_points(text) + 1;
  size_t n = 0;
  for (size_t i = find_text(text, needle); i != kNone; i = find_text(text, needle, i + needle.size())) {
    state.scan(16 + needle.size());
    ++n;
  }
  return n;
}

Value affix(RenderState& state, const Value& self, const Parameters& p, bool at_end) {
  const Window w = window(self, p, 1);
  const std::string_view text = std::string_view(self.bytes()).substr(w.from, w.to - w.from);
  const auto matches = [&](const Value& value) {
    if (value.is(Kind::kUndefined)) throw Fault(value.undefined_cause());
    if (!value.is(Kind::kString)) {
      throw fault("{} first arg must be str or a tuple of str, not {}", at_end ? "endswith" : "startswith",
                  type_name(value));
    }
    const std::string_view part = value.bytes();
    if (!w.valid || part.size() > text.size()) return false;
    return (at_end ? text.substr(text.size() - part.size()) : text.substr(0, part.size())) == part;
  };
  state.step();
  if (p[0].is(Kind::kList) && p[0].list().type != List::Type::kList) {
    return std::any_of(p[0].list().items.begin(), p[0].list().items.end(), matches);
  }
  return matches(p[0]);
}

Value remove_affix(RenderState& state, const Value& self, const Parameters& p, bool at_end) {
  const std::string_view text = self.bytes(), part = p.text(0).bytes();
  if (part.size() > text.size()) return self;
  if (at_end) {
    const size_t keep = text.size() - part.size();
    return text.substr(keep) == part ? substring(state, self, 0, keep) : self;
  }
  return text.substr(0, part.size()) == part ? substring(state, self, part.size(), text.size()) : self;
}

// By runs of white space; limit < 0 means any number of cuts.
std::vector<Value> split_space(RenderState& state, const Value& self, int64_t limit, bool from_right) {
  const std::string_view text = self.bytes();
  std::vector<ByteRange> words;
  for (size_t i = leading_space(text); i < text.size();) {
    size_t end = i;
    while (end < text.size() && !is_space(decode(text, end).value)) end += decode(text, end).length;
    words.push_back({i, end});
    i = end + leading_space(text.substr(end));
  }
  const auto cuts = static_cast<size_t>(limit);
  if (limit >= 0 && words.size() > cuts + 1) {
    if (from_right) {
      const size_t joined = words.size() - cuts;
      words[joined - 1].begin = 0;
      words.erase(words.begin(), words.begin() + static_cast<ptrdiff_t>(joined) - 1);
    } else {
      words.resize(cuts + 1);
      words.back().end = text.size();
    }
  }
  std::vector<Value> parts;
  parts.reserve(words.size());
  for (const ByteRange& word : words) parts.push_back(substring(state, self, word.begin, word.end));
  return parts;
}

std::vector<Value> split_at(RenderState& state, const Value& self, const std::string& separator, int64_t limit,
                            bool from_right) {
  if (separator.empty()) throw fault("empty separator");
  const std::string_view text = self.bytes();
  std::vector<size_t> cuts;
  if (from_right) {
    std::vector<size_t> matches;  // overlapping ones too: which of them count is decided from the right
    for (size_t at = find_text(text, separator); at != kNone; at = find_text(text, separator, at + 1)) {
      state.scan(16 + separator.size());
      matches.push_back(at);
    }
    size_t end = text.size();
    for (auto at = matches.rbegin(); at != matches.rend() && (limit < 0 || cuts.size() < static_cast<size_t>(limit));
         ++at) {
      if (*at + separator.size() > end) continue;
      cuts.push_back(*at);
      end = *at;
    }
    std::reverse(cuts.begin(), cuts.end());
  } else {
    for (size_t i = 0; limit < 0 || cuts.size() < static_cast<size_t>(limit);) {
      const size_t at = find_text(text, separator, i);
      if (at == kNone) break;
      state.scan(16 + separator.size());
      cuts.push_back(at);
      i = at + separator.size();
    }
  }
  std::vector<Value> parts;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    state.allocate(sizeof(String));
    parts.push_back(substring(state, self, begin, cut));
    begin = cut + separator.size();
  }
  parts.push_back(substring(state, self, begin, text.size()));
  return parts;
}

Value split(RenderState& state, const Value& self, const Parameters& p, bool from_right) {
  state.scan(self.bytes().size());
  const Value* separator = p.string(0);
  const int64_t limit = p.integer(1, -1);
  return state.list(separator ? split_at(state, self, separator->bytes(), limit, from_right)
                              : split_space(state, self, limit, from_right));
}

Value partition(RenderState& state, const Value& self, const Parameters& p, bool from_right) {
  const Value& separator = p.text(0);
  std::vector<Value> parts = split_at(state, self, separator.bytes(), 1, from_right);
  if (parts.size() == 2) return state.tuple({parts[0], separator, parts[1]});
  const Value empty = Value::text("");
  return from_right ? state.tuple({empty, empty, self}) : state.tuple({self, empty, empty});
}

Value join(RenderState& state, const Value& self, const Parameters& p) {
  StringBuilder out(state);
  const ListRef items = iterate(state, p[0]);
  for (size_t i = 0; i < items->items.size(); ++i) {
    const Value& item = items->items[i];
    if (!item.is(Kind::kString)) throw fault("sequence item {}: expected str instance, {} found", i, type_name(item));
    if (i > 0) out.append(self.string());
    out.append(item.string());
  }
  return out.value();
}

Value zero_fill(RenderState& state, const Value& self, const Parameters& p) {
  const std::string& bytes = self.bytes();
  const int64_t width = p.integer(0, 0);
  const auto size = static_cast<int64_t>(count_code_points(bytes));
  const size_t sign = !bytes.empty() && (bytes[0] == '+' || bytes[0] == '-') ? 1 : 0;
  StringBuilder out(state);
  out.append(self.string(), 0, sign);
  if (width > size) out.repeat("0", static_cast<size_t>(width - size));
  out.append(self.string(), sign, bytes.size());
  return out.value();
}

Value expand_tabs(RenderState& state, const Value& self, const Parameters& p) {
  const int64_t size = p.integer(0, 8);
  const std::string& bytes = self.bytes();
  StringBuilder out(state);
  int64_t column = 0;
  for (size_t i = 0; i < bytes.size();) {
    const CodePoint c = decode(bytes, i);
    if (c.value == '\t') {
      const int64_t spaces = size > 0 ? size - column % size : 0;
      out.repeat(" ", static_cast<size_t>(spaces));
      column += spaces;
    } else {
      out.append(self.string(), i, i + c.length);
      column = c.value == '\n' || c.value == '\r' ? 0 : column + 1;
    }
    i += c.length;
  }
  return out.value();
}

template <class Predicate>
Value all_of(const Value& self, Predicate&& predicate) {
  const std::string& bytes = self.bytes();
  for (size_t i = 0; i < bytes.size();) {
    const CodePoint c = decode(bytes, i);
    if (!predicate(c.value)) return false;
    i += c.length;
  }
  return !bytes.empty();
}

// At least one cased character, and none of the other case.
Value cased(const Value& self, bool upper) {
  bool any = false;
  const std::string& bytes = self.bytes();
  for (size_t i = 0; i < bytes.size();) {
    const CodePoint c = decode(bytes, i);
    if (is_title(c.value) || (upper ? is_lower(c.value) : is_upper(c.value))) return false;
    any = any || (upper ? is_upper(c.value) : is_lower(c.value));
    i += c.length;
  }
  return any;
}

Value is_title_text(const Value& self) {
  bool any = false, inside = false;
  const std::string& bytes = self.bytes();
  for (size_t i = 0; i < bytes.size();) {
    const CodePoint c = decode(bytes, i);
    const bool capital = is_upper(c.value) || is_title(c.value);
    if ((capital && inside) || (is_lower(c.value) && !inside)) return false;
    inside = is_cased(c.value);
    any = any || inside;
    i += c.length;
  }
  return any;
}

Value is_identifier(const Value& self) {
  bool first = true;
  return all_of(self, [&](char32_t c) {
    const bool start = is_alpha(c) || c == '_';
    return std::exchange(first, false) ? start : start || is_alphanumeric(c);
  });
}

Value aligned(RenderState& state, const Value& self, const Parameters& p, Alignment alignment) {
  const Value* fill = p.string(1);
  if (fill && count_code_points(fill->bytes()) != 1)
    throw fault("The fill character must be exactly one character long");
  return align(state, self, p.integer(0, 0), fill ? std::string_view(fill->bytes()) : " ", alignment);
}

}  // namespace

Value change_case(RenderState& state, const Value& string, CaseChange change) {
  const std::string& bytes = string.bytes();
  state.scan(bytes.size());
  const bool ascii = is_ascii(bytes);
  StringBuilder out(state);
  bool word = false, first = true;
  size_t i = 0;
  for_each_piece(string.string(), 0, bytes.size(), [&](std::string_view piece, bool literal) {
    std::string changed;
    const size_t end = i + piece.size();
    while (i < end) {
      const CodePoint c = ascii ? CodePoint{static_cast<unsigned char>(bytes[i]), 1} : decode(bytes, i);
      const bool start = change == CaseChange::kTitle ? !word : first;
      const bool title = change == CaseChange::kTitle || change == CaseChange::kCapitalize;
      if (change == CaseChange::kUpper || (change == CaseChange::kSwap && is_lower(c.value))) {
        append_upper(changed, c.value);
      } else if (title && start) {
        append_title(changed, c.value);
      } else if (change == CaseChange::kSwap && !is_upper(c.value)) {
        encode(changed, c.value);
      } else if (c.value == U'Σ' && ends_word(bytes, i, c.length)) {
        changed += "ς";
      } else {
        append_lower(changed, c.value);
      }
      word = change == CaseChange::kTitle && is_cased(c.value);
      first = false;
      i += c.length;
    }
    out.append(changed, literal);
  });
  return out.value(string.string().markup);
}

Value strip(RenderState& state, const Value& string, const Value* chars, bool left, bool right) {
  const std::string_view text = string.bytes();
  size_t begin = 0, end = text.size();
  if (!chars) {
    if (left) begin = leading_space(text);
    if (right) end = std::max(begin, end - trailing_space(text));
    return substring(state, string, begin, end);
  }
  const std::string_view set = chars->bytes();
  while (left && begin < end) {
    const size_t length = decode(text, begin).length;
    state.scan(set.size());
    if (set.find(text.substr(begin, length)) == kNone) break;
    begin += length;
  }
  while (right && begin < end) {
    size_t last = end - 1;
    while (last > begin && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    state.scan(set.size());
    if (set.find(text.substr(last, end - last)) == kNone) break;
    end = last;
  }
  return substring(state, string, begin, end);
}

Value replace(RenderState& state, const Value& string, const Value& from, const Value& to, int64_t count) {
  const std::string_view text = string.bytes(), needle = from.bytes();
  StringBuilder out(state);
  state.scan(text.size());
  size_t begin = 0;
  for (size_t at = 0; count != 0; --count) {
    at = find_text(text, needle, at);
    if (at == kNone) break;
    state.scan(16 + needle.size());
    out.append(string.string(), begin, at);
    out.append(to.string());
    begin = at + needle.size();
    at = begin;
    if (needle.empty()) {  // between all characters, and at both ends
      if (begin == text.size()) break;
      at += decode(text, begin).length;
    }
  }
  if (begin == 0 && out.size() == 0) return string;
  out.append(string.string(), begin, text.size());
  return out.value();
}

std::vector<Value> split_lines(RenderState& state, const Value& string, bool keep_ends) {
  const std::string_view text = string.bytes();
  std::vector<Value> lines;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode(text, i);
    size_t next = i + c.length;
    const bool ends = (c.value >= 10 && c.value <= 13) || (c.value >= 28 && c.value <= 30) || c.value == 0x85 ||
                      c.value == 0x2028 || c.value == 0x2029;
    if (ends) {
      if (c.value == '\r' && next < text.size() && text[next] == '\n') ++next;
      state.allocate(sizeof(String));
      lines.push_back(substring(state, string, begin, keep_ends ? next : i));
      begin = next;
    }
    i = next;
  }
  if (begin < text.size()) lines.push_back(substring(state, string, begin, text.size()));
  return lines;
}

Value align(RenderState& state, const Value& string, int64_t width, std::string_view fill, Alignment alignment) {
  const auto size = static_cast<int64_t>(count_code_points(string.bytes()));
  if (width <= size) return string;
  const auto pad = static_cast<size_t>(width - size);
  // CPython puts the odd one to the left only when the width is odd.
  const size_t half = pad / 2 + (pad & static_cast<size_t>(width) & 1);
  const size_t left = alignment == Alignment::kRight ? pad : alignment == Alignment::kCenter ? half : 0;
  StringBuilder out(state);
  out.repeat(fill, left);
  out.append(string.string());
  out.repeat(fill, pad - left);
  return out.value();
}

const BuiltinTable& string_methods() {
  using S = RenderState;
  using V = Value;
  using P = Parameters;
  static const BuiltinTable kTable{
      {"capitalize", "", [](S& s, const V& v, const P&) { return change_case(s, v, CaseChange::kCapitalize); }},
      {"center", "width,fillchar?", [](S& s, const V& v, const P& p) { return aligned(s, v, p, Alignment::kCenter); }},
      {"count", "sub,start?,end?", [](S& s, const V& v, const P& p) { return count(s, v, p); }},
      {"endswith", "suffix,start?,end?", [](S& s, const V& v, const P& p) { return affix(s, v, p, true); }},
      {"expandtabs", "tabsize?", [](S& s, const V& v, const P& p) { return expand_tabs(s, v, p); }},
      {"find", "sub,start?,end?", [](S& s, const V& v, const P& p) { return find(s, v, p, false, false); }},
      {"format", "*", [](S& s, const V& v, const P& p) { return brace_format(s, v, p.all()); }},
      {"index", "sub,start?,end?", [](S& s, const V& v, const P& p) { return find(s, v, p, false, true); }},
      {"isalnum", "", [](S&, const V& v, const P&) { return all_of(v, is_alphanumeric); }},
      {"isalpha", "", [](S&, const V& v, const P&) { return all_of(v, is_alpha); }},
      {"isascii", "", [](S&, const V& v, const P&) { return V(is_ascii(v.bytes())); }},
      {"isdecimal", "", [](S&, const V& v, const P&) { return all_of(v, is_decimal); }},
      {"isdigit", "", [](S&, const V& v, const P&) { return all_of(v, is_digit); }},
      {"isidentifier", "", [](S&, const V& v, const P&) { return is_identifier(v); }},
      {"islower", "", [](S&, const V& v, const P&) { return cased(v, false); }},
      {"isnumeric", "", [](S&, const V& v, const P&) { return all_of(v, is_numeric); }},
      {"isprintable", "",
       [](S&, const V& v, const P&) { return V(v.bytes().empty() || truthy(all_of(v, is_printable))); }},
      {"isspace", "", [](S&, const V& v, const P&) { return all_of(v, is_space); }},
      {"istitle", "", [](S&, const V& v, const P&) { return is_title_text(v); }},
      {"isupper", "", [](S&, const V& v, const P&) { return cased(v, true); }},
      {"join", "iterable", [](S& s, const V& v, const P& p) { return join(s, v, p); }},
      {"ljust", "width,fillchar?", [](S& s, const V& v, const P& p) { return aligned(s, v, p, Alignment::kLeft); }},
      {"lower", "", [](S& s, const V& v, const P&) { return change_case(s, v, CaseChange::kLower); }},
      {"lstrip", "chars?", [](S& s, const V& v, const P& p) { return strip(s, v, p.string(0), true, false); }},
      {"partition", "sep", [](S& s, const V& v, const P& p) { return partition(s, v, p, false); }},
      {"removeprefix", "prefix", [](S& s, const V& v, const P& p) { return remove_affix(s, v, p, false); }},
      {"removesuffix", "suffix", [](S& s, const V& v, const P& p) { return remove_affix(s, v, p, true); }},
      {"replace", "old,new,count?",
       [](S& s, const V& v, const P& p) { return replace(s, v, p.text(0), p.text(1), p.integer(2, -1)); }},
      {"rfind", "sub,start?,end?", [](S& s, const V& v, const P& p) { return find(s, v, p, true, false); }},
      {"rindex", "sub,start?,end?", [](S& s, const V& v, const P& p) { return find(s, v, p, true, true); }},
      {"rjust", "width,fillchar?", [](S& s, const V& v, const P& p) { return aligned(s, v, p, Alignment::kRight); }},
      {"rpartition", "sep", [](S& s, const V& v, const P& p) { return partition(s, v, p, true); }},
      {"rsplit", "sep?,maxsplit?", [](S& s, const V& v, const P& p) { return split(s, v, p, true); }},
      {"rstrip", "chars?", [](S& s, const V& v, const P& p) { return strip(s, v, p.string(0), false, true); }},
      {"split", "sep?,maxsplit?", [](S& s, const V& v, const P& p) { return split(s, v, p, false); }},
      {"splitlines", "keepends?",
       [](S& s, const V& v, const P& p) { return s.list(split_lines(s, v, p.truth(0, false))); }},
      {"startswith", "prefix,start?,end?", [](S& s, const V& v, const P& p) { return affix(s, v, p, false); }},
      {"strip", "chars?", [](S& s, const V& v, const P& p) { return strip(s, v, p.string(0), true, true); }},
      {"swapcase", "", [](S& s, const V& v, const P&) { return change_case(s, v, CaseChange::kSwap); }},
      {"title", "", [](S& s, const V& v, const P&) { return change_case(s, v, CaseChange::kTitle); }},
      {"upper", "", [](S& s, const V& v, const P&) { return change_case(s, v, CaseChange::kUpper); }},
      {"zfill", "width", [](S& s, const V& v, const P& p) { return zero_fill(s, v, p); }},
  };
  return kTable;
}

}  // namespace hearth::jinja
