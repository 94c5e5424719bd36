// U+2581, with which sentencepiece-style vocabularies write a space.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

inline constexpr std::string_view kMetaspace = "\xE2\x96\x81";

// `text` with every U+2581 replaced.
inline std::string replace_metaspace(std::string_view text, std::string_view by) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const size_t at = text.find(kMetaspace);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += by;
    text.remove_prefix(at + kMetaspace.size());
  }
}
inline std::string without_metaspace(std::string_view text) { return replace_metaspace(text, ""); }

}  // namespace hearth
