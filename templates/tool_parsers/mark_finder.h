// Finds the first of some marks in a text that comes byte by byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

constexpr bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Of a function's or an argument's name.
constexpr bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

class MarkFinder {
 public:
  // None may be empty or the beginning of another. `drop_blanks`: those before a mark are not text.
  MarkFinder(std::vector<std::string> marks, bool drop_blanks) : marks_(std::move(marks)), drop_blanks_(drop_blanks) {}

  // Adds to `text` what is in no mark; -> the mark that ends here.
  std::optional<size_t> read(char byte, std::string& text);
  // What may still have become a mark, or blanks before one.
  std::string take_held();

 private:
  std::vector<std::string> marks_;
  bool drop_blanks_;
  std::string blanks_, partial_;
};

}  // namespace hearth
