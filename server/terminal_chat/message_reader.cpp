#include "server/terminal_chat/message_reader.h"

#include <utility>

namespace hearth {
namespace {
constexpr std::string_view kQuotes = "\"\"\"";
}

std::optional<std::string> MessageReader::add(std::string_view line) {
  if (!in_block_ && !continued_ && line.starts_with(kQuotes)) {
    in_block_ = true;
    line.remove_prefix(kQuotes.size());
    if (line.empty()) return std::nullopt;
  }
  if (in_block_) {
    const bool ends = line.ends_with(kQuotes);
    if (ends) line.remove_suffix(kQuotes.size());
    text_ += line;
    if (!ends) {
      text_ += '\n';
      return std::nullopt;
    }
    if (text_.ends_with('\n')) text_.pop_back();
  } else {
    continued_ = line.ends_with('\\');
    if (continued_) line.remove_suffix(1);
    text_ += line;
    if (continued_) {
      text_ += '\n';
      return std::nullopt;
    }
  }
  in_block_ = continued_ = false;
  return std::exchange(text_, {});
}

void MessageReader::clear() {
  text_.clear();
  in_block_ = continued_ = false;
}

}  // namespace hearth
