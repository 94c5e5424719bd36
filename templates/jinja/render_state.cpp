#include "templates/jinja/render_state.h"

#include <algorithm>

namespace hearth::jinja {
namespace {

constexpr size_t kIndexFrom = 16;  // entries; below it a linear search is faster than hashing

int nesting_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kList:
      return value.list().nesting;
    case Kind::kDict:
      return value.dict().nesting;
    case Kind::kView:
      return value.view().dict->nesting;
    default:
      return 0;
  }
}

void check_nesting(int nesting) {
  if (nesting > kMaxNesting) throw fault("lists or dicts nested more than {} deep", kMaxNesting);
}

}  // namespace

void RenderState::out_of_steps() const { throw fault("the template takes more than {} steps", limits_.steps); }
void RenderState::out_of_bytes() const {
  throw fault("the template makes more than {} bytes of values", limits_.allocated_bytes);
}
void RenderState::too_deep() { throw fault("expressions, blocks or calls nested too deeply"); }

Value RenderState::list(std::vector<Value> items, List::Type type) {
  allocate(sizeof(List) + items.size() * sizeof(Value));
  step(items.size() / 4);
  int nesting = 0;
  for (const Value& item : items) nesting = std::max(nesting, nesting_of(item));
  check_nesting(nesting + 1);
  return std::make_shared<const List>(List{std::move(items), type, nesting + 1});
}

Value RenderState::dict(std::vector<Dict::Entry> entries) {
  allocate(sizeof(Dict) + entries.size() * sizeof(Dict::Entry));
  step(entries.size() / 4);
  auto made = std::make_shared<Dict>();
  int nesting = 0;
  for (const Dict::Entry& entry : entries) {
    nesting = std::max({nesting, nesting_of(entry.first), nesting_of(entry.second)});
  }
  check_nesting(nesting + 1);
  made->nesting = nesting + 1;
  made->entries = std::move(entries);
  if (made->entries.size() >= kIndexFrom) {
    for (size_t i = 0; i < made->entries.size(); ++i) {
      const Value& key = made->entries[i].first;
      if (key.is(Kind::kString)) made->index.emplace(key.bytes(), i);
    }
  }
  return DictRef(std::move(made));
}

Value RenderState::generator(std::vector<Value> items, std::string_view type) {
  return make<Generator>(list(std::move(items)).list_ref(), type);
}

void StringBuilder::mark(size_t begin, size_t end) {
  if (begin == end) return;
  if (!string_.literal.empty() && string_.literal.back().end == begin) {
    string_.literal.back().end = end;
  } else {
    state_.allocate(sizeof(ByteRange));
    string_.literal.push_back({begin, end});
  }
}

void StringBuilder::append(std::string_view text, bool literal) {
  state_.allocate(text.size());
  const size_t begin = string_.bytes.size();
  string_.bytes.append(text);
  if (literal) mark(begin, string_.bytes.size());
}

void StringBuilder::append(const String& string, size_t begin, size_t end) {
  if (string.literal.empty()) return append(std::string_view(string.bytes).substr(begin, end - begin));
  for_each_piece(string, begin, end, [&](std::string_view piece, bool literal) { append(piece, literal); });
}

void StringBuilder::repeat(std::string_view text, size_t count, bool literal) {
  if (text.empty() || count == 0) return;
  if (count > state_.bytes_left() / text.size())
    throw fault("a string of {} times {} bytes is too long", count, text.size());
  std::string repeated;
  repeated.reserve(count * text.size());
  for (size_t i = 0; i < count; ++i) repeated.append(text);
  append(repeated, literal);
}

Value substring(RenderState& state, const Value& string, size_t begin, size_t end) {
  if (begin == 0 && end == string.bytes().size()) return string;
  StringBuilder out(state);
  out.append(string.string(), begin, end);
  return out.value(string.string().markup);
}

}  // namespace hearth::jinja
