#include "runtime/tokenizer/precompiled_charsmap.h"

#include <utf8proc.h>

#include "runtime/base/error.h"
#include "runtime/tokenizer/rewriter.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

constexpr size_t kMaxWholeGrapheme = 5;  // bytes

uint32_t read_u32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// A unit of the double array.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

// Where the extended grapheme cluster that begins at `begin` ends.
size_t grapheme_end(std::string_view text, size_t begin) {
  utf8proc_int32_t state = 0;
  size_t end = begin;
  auto left = static_cast<utf8proc_int32_t>(utf8::decode(text, end));
  while (end < text.size()) {
    size_t next = end;
    const auto right = static_cast<utf8proc_int32_t>(utf8::decode(text, next));
    if (utf8proc_grapheme_break_stateful(left, right, &state)) break;
    left = right;
    end = next;
  }
  return end;
}

}  // namespace

PrecompiledCharsmap::PrecompiledCharsmap(std::string_view blob) {
  const size_t trie_bytes = blob.size() >= 4 ? read_u32(blob, 0) : 0;
  if (blob.size() < 4 || trie_bytes % 4 != 0 || trie_bytes > blob.size() - 4)
    throw data_corruption("the charsmap of {} bytes is cut off", blob.size());
  units_.resize(trie_bytes / 4);
  for (size_t i = 0; i < units_.size(); ++i) units_[i] = read_u32(blob, 4 + 4 * i);
  texts_ = blob.substr(4 + trie_bytes);
  if (const size_t bad = utf8::find_invalid(texts_); bad != std::string_view::npos)
    throw data_corruption("the charsmap's texts are not UTF-8 at byte {}", bad);
}

std::optional<std::string_view> PrecompiledCharsmap::replacement(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  size_t node = offset_of(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label_of(units_[node]) != byte) return std::nullopt;
    const bool ends = has_leaf(units_[node]);
    node ^= offset_of(units_[node]);
    if (!ends) continue;
    if (node >= units_.size()) return std::nullopt;
    const size_t begin = value_of(units_[node]);
    if (begin >= texts_.size() || utf8::is_continuation(texts_[begin])) return std::nullopt;
    return std::string_view(texts_).substr(begin, std::min(texts_.find('\0', begin), texts_.size()) - begin);
  }
  return std::nullopt;
}

void PrecompiledCharsmap::apply(NormalizedText& text) const {
  const std::string_view in = text.text;
  const bool lost_begin = text.lost_begin;
  Rewriter out(text);
  for (size_t begin = 0; begin < in.size();) {
    const size_t end = grapheme_end(in, begin);
    if (end - begin <= kMaxWholeGrapheme) {
      if (const auto whole = replacement(in.substr(begin, end - begin))) {
        out.put(*whole, begin);
        begin = end;
        continue;
      }
    }
    while (begin < end) {
      const size_t next = begin + utf8::length_from_lead(static_cast<unsigned char>(in[begin]));
      if (const auto one = replacement(in.substr(begin, next - begin))) {
        out.put(*one, begin);
      } else {
        out.copy(begin, next);
      }
      begin = next;
    }
  }
  out.finish();
  text.lost_begin = lost_begin;  // what follows a removed beginning counts as it, as in the reference
}

}  // namespace hearth
