// The functions that every template finds by name.
#include <ctime>
#include <limits>

#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"

namespace hearth::jinja {
namespace {

using S = RenderState;
using V = Value;
using P = Parameters;

constexpr size_t kMaxDateBytes = 4096;

Value range(S& s, const V&, const P& p) {
  const size_t count = p.all().positional.size();
  if (count == 0 || count > 3 || !p.all().keyword.empty())
    throw fault("range expected 1 to 3 arguments, got {}", count);
  const auto number = [&](size_t i) { return to_index(p[i], "range(): an argument"); };
  Range made{count > 1 ? number(0) : 0, number(count > 1 ? 1 : 0), count > 2 ? number(2) : 1};
  if (made.step == 0) throw fault("range() arg 3 must not be zero");
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max() / 4;
  const auto far = [](int64_t n) { return n > kFar || n < -kFar; };
  if (far(made.start) || far(made.stop) || far(made.step) || made.size() > s.limits().range_size) {
    throw fault("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", s.limits().range_size);
  }
  return std::make_shared<const Range>(made);
}

// dict()'s arguments: a mapping or pairs, then keywords.
void collect(S& s, const P& p, DictBuilder& out) {
  const Arguments& all = p.all();
  if (all.positional.size() > 1) throw fault("dict expected at most 1 argument, got {}", all.positional.size());
  if (!all.positional.empty()) {
    const Value& from = all.positional[0];
    if (from.is(Kind::kDict)) {
      for (const auto& [key, value] : from.dict().entries) out.set(key, value);
    } else if (auto* space = from.object_as<Namespace>()) {
      for (const auto& [key, value] : space->attributes) out.set(V::text(key), value);
    } else {
      const ListRef all_items = iterate(s, from);
      for (const Value& pair : all_items->items) {
        const ListRef two = iterate(s, pair);
        if (two->items.size() != 2)
          throw fault("dictionary update sequence element has length {}; 2 is required", two->items.size());
        out.set(two->items[0], two->items[1]);
      }
    }
  }
  for (const auto& [key, value] : all.keyword) out.set(V::text(key), value);
}

Value make_dict(S& s, const V&, const P& p) {
  DictBuilder out(s);
  collect(s, p, out);
  return out.build();
}

Value make_namespace(S& s, const V&, const P& p) {
  DictBuilder attributes(s);
  collect(s, p, attributes);
  const Value dict = attributes.build();
  auto* space = s.make<Namespace>();
  for (const auto& [key, value] : dict.dict().entries) {
    if (!key.is(Kind::kString))
      throw fault("namespace(): an attribute's name must be a string, not {}", type_name(key));
    space->set(s, key.bytes(), value);
  }
  return space;
}

Value make_cycler(S& s, const V&, const P& p) {
  if (p.all().positional.empty()) throw fault("at least one item has to be provided");
  auto* cycler = s.make<Cycler>();
  cycler->items = p.all().positional;
  return cycler;
}

Value make_joiner(S& s, const V&, const P& p) {
  auto* joiner = s.make<Joiner>();
  joiner->separator = p.get(0) ? p[0] : V::text(", ");
  return joiner;
}

Value raise(S& s, const V&, const P& p) {
  StringBuilder out(s);
  append_str(out, p[0]);
  throw RaisedByTemplate(out.bytes());
}

// C's format for Python's: a time without a zone prints neither its name nor its offset, and %f is microseconds.
std::string c_format(std::string_view format) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    const char next = format[i] == '%' && i + 1 < format.size() ? format[i + 1] : '\0';
    if (next == 'z' || next == 'Z' || next == 'f') {
      out += next == 'f' ? "000000" : "";
      ++i;
      continue;
    }
    out += format[i];
    if (next == '%') out += format[++i];
  }
  return out;
}

Value format_now(S& s, const V&, const P& p) {
  const std::time_t now = s.now();
  std::tm local{};
  localtime_r(&now, &local);
  const std::string& format = p.text(0).bytes();
  if (format.size() > kMaxDateBytes / 8)
    throw fault("strftime_now(): the format is longer than {} bytes", kMaxDateBytes / 8);
  char buffer[kMaxDateBytes];
  // The space tells an empty result from one that did not fit.
  const size_t size = std::strftime(buffer, sizeof buffer, (c_format(format) + " ").c_str(), &local);
  if (size == 0) throw fault("strftime_now(): the date is too long");
  StringBuilder out(s);
  out.append({buffer, size - 1}, !p.text(0).string().literal.empty());
  return out.value();
}

}  // namespace

const Builtin* find_global(std::string_view name) {
  static const BuiltinTable kTable{
      {"cycler", "*", make_cycler},           {"dict", "*", make_dict},
      {"joiner", "sep?", make_joiner},        {"namespace", "*", make_namespace},
      {"raise_exception", "message", raise},  {"range", "*", range},
      {"strftime_now", "format", format_now},
  };
  return kTable.find(name);
}

}  // namespace hearth::jinja
