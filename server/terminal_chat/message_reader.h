// Lines of input to messages: a line that ends with a backslash goes on with the next one, and a block from """ to """
// keeps its line breaks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth {

class MessageReader {
 public:
  // A message when `line` (without its line break) ends one.
  std::optional<std::string> add(std::string_view line);
  // True within a message of several lines.
  bool pending() const { return in_block_ || continued_; }
  void clear();

 private:
  std::string text_;
  bool in_block_ = false, continued_ = false;
};

}  // namespace hearth
