#include "runtime/grammar/char_set.h"

#include <algorithm>

namespace hearth {
namespace {

constexpr char32_t kLast = 0x10FFFF, kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

}  // namespace

CharSet::CharSet(std::initializer_list<Range> ranges) {
  for (const Range& range : ranges) add(range.first, range.last);
}

CharSet CharSet::all() { return {{0, kLast}}; }

void CharSet::add(char32_t first, char32_t last) {
  last = std::min(last, kLast);
  if (first < kFirstSurrogate && last >= kFirstSurrogate) {
    add(first, kFirstSurrogate - 1);
    add(kLastSurrogate + 1, last);
    return;
  }
  if (first >= kFirstSurrogate && first <= kLastSurrogate) first = kLastSurrogate + 1;
  if (first > last) return;
  // Those that overlap or touch the new one become part of it.
  const auto begin = std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.last + 1 >= first; });
  auto end = begin;
  for (; end != ranges_.end() && end->first <= last + 1; ++end) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
  }
  ranges_.insert(ranges_.erase(begin, end), {first, last});
}

void CharSet::add(const CharSet& other) {
  for (const Range& range : other.ranges_) add(range.first, range.last);
}

CharSet CharSet::complement() const {
  CharSet out;
  char32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) out.add(next, range.first - 1);
    next = range.last + 1;
  }
  out.add(next, kLast);
  return out;
}

CharSet CharSet::intersection(const CharSet& other) const {
  CharSet out;
  for (const Range& a : ranges_)
    for (const Range& b : other.ranges_)
      if (std::max(a.first, b.first) <= std::min(a.last, b.last))
        out.add(std::max(a.first, b.first), std::min(a.last, b.last));
  return out;
}

bool CharSet::contains(char32_t c) const {
  return std::ranges::any_of(ranges_, [c](const Range& range) { return range.first <= c && c <= range.last; });
}

bool CharSet::contains(const CharSet& other) const { return intersection(other) == other; }

}  // namespace hearth
