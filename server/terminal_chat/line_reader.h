// Line editing with history over libedit: arrows, Ctrl-R and the other emacs keys, Tab; a paste of several lines
// arrives as one line with breaks in it (bracketed paste). The history file is the user's alone (0600).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

class LineReader {
 public:
  enum class End { kLine, kEndOfInput, kInterrupt };  // Enter, Ctrl-D on an empty line, Ctrl-C

  // The words that may stand where the last word of `typed` (the line as far as the cursor) stands.
  using Complete = std::function<std::vector<std::string>(std::string_view typed)>;

  // `history_file` empty: history of this session only. `bracketed_paste`: the terminal understands its escape
  // sequence.
  LineReader(const std::filesystem::path& history_file, bool bracketed_paste, Complete complete);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Fills `line` (without its line break); also what was typed before an interrupt. `prefill` stands there as if typed.
  End read(const std::string& prompt, std::string& line, std::string_view prefill = {});
  // Adds to the history and its file.
  void remember(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
