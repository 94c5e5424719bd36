#include "runtime/tokenizer/unicode_age.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>
#include <utf8proc.h>

namespace hearth::unicode {
namespace {

struct Newer {
  char32_t first, last;
  uint8_t since;  // 9: Unicode 9; 10: a later one
};

// Marks, punctuation, format characters and characters with decompositions that came with Unicode 9 to 17, or got that
// property then; between the ends of a range lies nothing older of these kinds.
constexpr Newer kNewer[] = {
    {0x61D, 0x61D, 9},      {0x7FD, 0x7FD, 10},     {0x890, 0x891, 9},      {0x897, 0x8D3, 10},
    {0x8D4, 0x8E2, 9},      {0x9FD, 0x9FD, 9},      {0x9FE, 0x9FE, 10},     {0xA76, 0xA76, 9},
    {0xAFA, 0xAFF, 10},     {0xB55, 0xB55, 10},     {0xC04, 0xC3C, 10},     {0xC77, 0xC77, 9},
    {0xC84, 0xC84, 9},      {0xCF3, 0xCF3, 10},     {0xD00, 0xD00, 10},     {0xD3B, 0xD3C, 10},
    {0xD81, 0xD81, 10},     {0xEBA, 0xEBA, 10},     {0xECE, 0xECE, 10},     {0x1715, 0x1715, 10},
    {0x180F, 0x180F, 10},   {0x1885, 0x1886, 9},    {0x1ABF, 0x1ACE, 10},   {0x1B4E, 0x1B4F, 10},
    {0x1B7D, 0x1B7E, 9},    {0x1B7F, 0x1B7F, 10},   {0x1CF7, 0x1CF7, 10},   {0x1DF6, 0x1DFA, 10},
    {0x1DFB, 0x1DFB, 9},    {0x2E43, 0x2E5D, 9},    {0x32FF, 0x32FF, 10},   {0xA7F2, 0xA7F4, 10},
    {0xA82C, 0xA82C, 10},   {0xA8C5, 0xA8C5, 9},    {0xA8FF, 0xA8FF, 10},   {0xA9BD, 0xA9BD, 9},
    {0xAB69, 0xAB69, 10},   {0x10781, 0x107BA, 10}, {0x10D24, 0x10EAC, 10}, {0x10EAD, 0x10EAD, 9},
    {0x10EFC, 0x10EFF, 10}, {0x10F46, 0x10F50, 10}, {0x10F55, 0x10F59, 9},  {0x10F82, 0x10F85, 10},
    {0x10F86, 0x10F89, 9},  {0x11070, 0x11074, 10}, {0x110C2, 0x110C2, 10}, {0x110CD, 0x110CD, 9},
    {0x11145, 0x11146, 10}, {0x111C9, 0x111C9, 10}, {0x111CE, 0x111CF, 10}, {0x1123E, 0x1123E, 9},
    {0x11241, 0x11241, 10}, {0x1133B, 0x1133B, 10}, {0x113B8, 0x113E2, 10}, {0x11438, 0x1143F, 9},
    {0x11442, 0x11444, 9},  {0x11446, 0x1145D, 9},  {0x1145E, 0x1145E, 10}, {0x11660, 0x1166C, 9},
    {0x116B9, 0x116B9, 9},  {0x1182C, 0x1183A, 10}, {0x1183B, 0x1183B, 9},  {0x11930, 0x11943, 10},
    {0x11944, 0x11946, 9},  {0x119D1, 0x119E0, 10}, {0x119E2, 0x119E2, 9},  {0x119E4, 0x11A3E, 10},
    {0x11A3F, 0x11A46, 9},  {0x11A47, 0x11A99, 10}, {0x11A9A, 0x11AA2, 9},  {0x11B00, 0x11B09, 10},
    {0x11BE1, 0x11BE1, 10}, {0x11C30, 0x11C3D, 9},  {0x11C3F, 0x11CA7, 9},  {0x11CAA, 0x11CB0, 9},
    {0x11CB2, 0x11CB3, 9},  {0x11CB5, 0x11CB6, 9},  {0x11D31, 0x11EF6, 10}, {0x11EF7, 0x11EFF, 9},
    {0x11F00, 0x11F5A, 10}, {0x11F5B, 0x11FFF, 9},  {0x12FF1, 0x12FF2, 9},  {0x13430, 0x1343F, 9},
    {0x13440, 0x13440, 10}, {0x13447, 0x13455, 10}, {0x1611E, 0x1612F, 10}, {0x16D6D, 0x16D6F, 10},
    {0x16E97, 0x16E9A, 9},  {0x16F4F, 0x16F4F, 10}, {0x16F7F, 0x16F87, 10}, {0x16FE2, 0x16FE2, 9},
    {0x16FE4, 0x16FF1, 10}, {0x1CF00, 0x1CF46, 10}, {0x1E000, 0x1E02A, 9},  {0x1E030, 0x1E06D, 10},
    {0x1E08F, 0x1E08F, 10}, {0x1E130, 0x1E2EF, 10}, {0x1E4EC, 0x1E4EF, 10}, {0x1E5EE, 0x1E5FF, 10},
    {0x1E944, 0x1E95F, 9},  {0x1F16C, 0x1F16C, 10}, {0x1FBF0, 0x1FBF9, 10}};

bool is_newer(char32_t c, uint8_t version) {
  const auto* const it =
      std::lower_bound(std::begin(kNewer), std::end(kNewer), c, [](const Newer& a, char32_t b) { return a.last < b; });
  return it != std::end(kNewer) && it->first <= c && it->since > version;
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

}  // namespace

bool is_newer_than_9(char32_t c) { return is_newer(c, 9); }

bool is_nonspacing_mark_8(char32_t c) {
  return c == 0x1734 || (category(c) == UTF8PROC_CATEGORY_MN && !is_newer(c, 8));
}

bool is_mark_9(char32_t c) {
  const utf8proc_category_t kind = category(c);
  if (c == 0x1CF2 || c == 0x1CF3) return true;
  return (kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC || kind == UTF8PROC_CATEGORY_ME) &&
         !is_newer(c, 9);
}

bool is_control_8(char32_t c) {
  const utf8proc_category_t kind = category(c);
  return (kind == UTF8PROC_CATEGORY_CC || kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_CO) &&
         !is_newer(c, 8);
}

std::string punctuation_8() {
  std::string pattern = R"([!-/:-@\[-`{-~\x{166D}\x{111C9}]|[^\P{P})";
  for (const Newer& range : kNewer)
    pattern += fmt::format("\\x{{{:X}}}-\\x{{{:X}}}", uint32_t{range.first}, uint32_t{range.last});
  return pattern + "]";
}

}  // namespace hearth::unicode
