#include "templates/jinja/unicode.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace hearth::jinja {
namespace {

struct CaseRun {
  char32_t first, last;
  int stride, delta;
};
struct CaseSpecial {
  char32_t code_point;
  const char* to;
};

#include "templates/jinja/unicode_tables.inl"

template <size_t n>
bool contains(const char32_t (&toggles)[n], char32_t c) {
  return (std::upper_bound(toggles, toggles + n, c) - toggles) % 2 == 1;
}

template <size_t n>
const CaseRun* find_run(const CaseRun (&runs)[n], char32_t c) {
  const CaseRun* run = std::upper_bound(runs, runs + n, c, [](char32_t x, const CaseRun& r) { return x < r.first; });
  if (run == runs) return nullptr;
  --run;
  return c <= run->last && (c - run->first) % static_cast<char32_t>(run->stride) == 0 ? run : nullptr;
}

template <size_t n>
const char* find_special(const CaseSpecial (&specials)[n], char32_t c) {
  const CaseSpecial* it =
      std::lower_bound(specials, specials + n, c, [](const CaseSpecial& s, char32_t x) { return s.code_point < x; });
  return it != specials + n && it->code_point == c ? it->to : nullptr;
}

template <size_t n, size_t m>
void append_mapped(std::string& out, char32_t c, const CaseSpecial (&specials)[n], const CaseRun (&runs)[m]) {
  if (const char* to = find_special(specials, c)) {
    out += to;
  } else if (const CaseRun* run = find_run(runs, c)) {
    encode(out, static_cast<char32_t>(static_cast<int64_t>(c) + run->delta));
  } else {
    encode(out, c);
  }
}

bool continues(unsigned char byte) { return (byte & 0xc0) == 0x80; }

}  // namespace

CodePoint decode(std::string_view text, size_t position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const size_t left = text.size() - position;
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first >= 0xc2 && first < 0xe0 && left >= 2 && continues(byte(1))) {
    return {static_cast<char32_t>((first & 0x1f) << 6 | (byte(1) & 0x3f)), 2};
  }
  if (first >= 0xe0 && first < 0xf0 && left >= 3 && continues(byte(1)) && continues(byte(2))) {
    const char32_t c = (first & 0xf) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    if (c >= 0x800 && (c < 0xd800 || c >= 0xe000)) return {c, 3};
  }
  if (first >= 0xf0 && first < 0xf5 && left >= 4 && continues(byte(1)) && continues(byte(2)) && continues(byte(3))) {
    const char32_t c = (first & 0x7) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
    if (c >= 0x10000 && c < 0x110000) return {c, 4};
  }
  return {static_cast<char32_t>(0xdc00 + first), 1};
}

void encode(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c >= 0xdc80 && c < 0xdd00) {
    put(c - 0xdc00);
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

size_t count_code_points(std::string_view text) {
  if (is_ascii(text)) return text.size();
  size_t count = 0;
  for (size_t i = 0; i < text.size(); i += decode(text, i).length) ++count;
  return count;
}

size_t byte_offset(std::string_view text, size_t index) {
  if (is_ascii(text)) return std::min(index, text.size());
  size_t i = 0;
  for (; index > 0 && i < text.size(); --index) i += decode(text, i).length;
  return i;
}

bool is_space(char32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_printable(char32_t c) { return contains(kPrintableToggles, c); }
bool is_alpha(char32_t c) { return contains(kAlphaToggles, c); }
bool is_decimal(char32_t c) { return contains(kDecimalToggles, c); }
bool is_digit(char32_t c) { return contains(kDigitToggles, c); }
bool is_numeric(char32_t c) { return contains(kNumericToggles, c); }
bool is_upper(char32_t c) { return contains(kUpperToggles, c); }
bool is_lower(char32_t c) { return contains(kLowerToggles, c); }
bool is_title(char32_t c) { return contains(kTitleToggles, c); }

void append_upper(std::string& out, char32_t c) { append_mapped(out, c, kUpperSpecials, kUpperRuns); }
void append_lower(std::string& out, char32_t c) { append_mapped(out, c, kLowerSpecials, kLowerRuns); }
void append_title(std::string& out, char32_t c) {
  if (find_special(kTitleSpecials, c) || find_run(kTitleRuns, c)) {
    append_mapped(out, c, kTitleSpecials, kTitleRuns);
  } else {
    append_upper(out, c);
  }
}

size_t leading_space(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const CodePoint c = decode(text, i);
    if (!is_space(c.value)) break;
    i += c.length;
  }
  return i;
}

size_t trailing_space(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 && continues(static_cast<unsigned char>(text[begin]))) --begin;
    const CodePoint c = decode(text, begin);
    if (c.length != end - begin || !is_space(c.value)) break;
    end = begin;
  }
  return text.size() - end;
}

size_t find_text(std::string_view text, std::string_view needle, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

}  // namespace hearth::jinja
