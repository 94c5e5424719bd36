#include "server/terminal_chat/line_reader.h"

#include <climits>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <histedit.h>
#include <unistd.h>

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCtrlC = "\x03";
constexpr int kHistoryEntries = 1000;
constexpr std::string_view kPasteBegin = "\x1b[200~", kPasteEnd = "\x1b[201~";

// libedit reads characters as the locale says: without one, UTF-8.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

// A terminal sends line breaks of a paste as \r; other control characters could move the cursor.
std::string without_controls(std::string_view pasted) {
  std::string text;
  for (size_t i = 0; i < pasted.size(); ++i) {
    const char c = pasted[i];
    if (c == '\r') text += '\n';
    const bool second_of_pair = c == '\n' && i > 0 && pasted[i - 1] == '\r';
    if (c == '\t' || (c == '\n' && !second_of_pair) || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)) text += c;
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// What all of them begin with. `words` is not empty.
std::string common_beginning(const std::vector<std::string>& words) {
  std::string common = words.front();
  for (const std::string& word : words) {
    size_t same = 0;
    while (same < common.size() && same < word.size() && common[same] == word[same]) ++same;
    common.resize(same);
  }
  while (!common.empty() && (static_cast<unsigned char>(words.front()[common.size()]) & 0xc0U) == 0x80)
    common.pop_back();  // no character is cut
  return common;
}

}  // namespace

struct LineReader::Impl {
  EditLine* edit = nullptr;
  History* history = nullptr;
  fs::path history_file;
  std::string prompt;
  Complete complete;
  bool bracketed_paste = false, interrupted = false;
  bool at_end = false;  // within on_interrupt

  static Impl& of(EditLine* edit) {
    void* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }
  static char* show_prompt(EditLine* edit) { return of(edit).prompt.data(); }

  // First to the end of the line, so that ^C stands behind it, and there once more.
  static unsigned char on_interrupt(EditLine* edit, wint_t) {
    Impl& self = of(edit);
    self.interrupted = std::exchange(self.at_end, !self.at_end);
    if (self.interrupted) return CC_NEWLINE;
    el_cursor(edit, INT_MAX / 2);
    el_push(edit, kCtrlC);
    return CC_REFRESH;
  }
  static unsigned char on_suspend(EditLine* edit, wint_t) {
    el_set(edit, EL_PREP_TERM, 0);
    std::raise(SIGTSTP);
    el_set(edit, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
  }
  static unsigned char on_paste(EditLine* edit, wint_t) {
    constexpr size_t kMaxPaste = size_t{1} << 20;
    std::string pasted;
    wchar_t wide = 0;
    while (!pasted.ends_with(kPasteEnd) && pasted.size() < kMaxPaste && el_wgetc(edit, &wide) == 1) {
      char bytes[MB_LEN_MAX];
      const int length = std::wctomb(bytes, wide);
      if (length > 0) pasted.append(bytes, static_cast<size_t>(length));
    }
    if (pasted.ends_with(kPasteEnd)) pasted.resize(pasted.size() - kPasteEnd.size());
    return el_insertstr(edit, without_controls(pasted).c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
  }

  static unsigned char on_tab(EditLine* edit, wint_t) {
    const LineInfo* info = el_line(edit);
    const std::string typed(info->buffer, info->cursor);
    if (!typed.starts_with('/')) return el_insertstr(edit, "\t") == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
    const std::vector<std::string> words = of(edit).complete(typed);
    if (words.empty()) return CC_REFRESH_BEEP;
    const std::string common = common_beginning(words);
    const std::string_view word = std::string_view(typed).substr(typed.rfind(' ') + 1);
    std::string rest = common.substr(word.size());
    if (words.size() == 1 && !common.ends_with('/')) rest += ' ';
    if (!rest.empty()) return el_insertstr(edit, rest.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
    std::fputc('\n', stdout);
    for (const std::string& one : words) std::fprintf(stdout, "%s  ", one.c_str());
    std::fputc('\n', stdout);
    return CC_REDISPLAY;
  }

  void save_history() const {
    if (history_file.empty()) return;
    const std::string temporary = history_file.string() + "." + std::to_string(::getpid());
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    std::FILE* file = fd < 0 ? nullptr : ::fdopen(fd, "w");
    if (!file) return;
    HistEvent event;
    const bool written = ::history(history, &event, H_SAVE_FP, file) >= 0;
    if (std::fclose(file) != 0 || !written || ::rename(temporary.c_str(), history_file.c_str()) != 0)
      ::unlink(temporary.c_str());
  }
};

LineReader::LineReader(const fs::path& history_file, bool bracketed_paste, Complete complete)
    : impl_(std::make_unique<Impl>()) {
  use_utf8();
  Impl& impl = *impl_;
  impl.complete = std::move(complete);
  impl.bracketed_paste = bracketed_paste;
  impl.history = history_init();
  HistEvent event;
  ::history(impl.history, &event, H_SETSIZE, kHistoryEntries);
  ::history(impl.history, &event, H_SETUNIQUE, 1);
  std::error_code error;
  if (!history_file.empty()) fs::create_directories(history_file.parent_path(), error);
  if (!history_file.empty() && !error) {
    impl.history_file = history_file;
    ::history(impl.history, &event, H_LOAD, history_file.c_str());
  }
  impl.edit = el_init("hearth", stdin, stdout, stderr);
  el_set(impl.edit, EL_CLIENTDATA, &impl);
  el_set(impl.edit, EL_PROMPT, &Impl::show_prompt);
  el_set(impl.edit, EL_EDITOR, "emacs");
  el_set(impl.edit, EL_SIGNAL, 1);
  el_set(impl.edit, EL_HIST, ::history, impl.history);
  el_set(impl.edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  // Ctrl-C and Ctrl-Z as keys and not as signals: a signal while libedit reads is lost now and then.
  el_set(impl.edit, EL_SETTY, "-d", "-isig", nullptr);
  // el_set would copy the names and never free them.
  el_wset(impl.edit, EL_ADDFN, L"interrupt", L"Give the line up", &Impl::on_interrupt);
  el_set(impl.edit, EL_BIND, "^C", "interrupt", nullptr);
  el_wset(impl.edit, EL_ADDFN, L"suspend", L"Stop the process", &Impl::on_suspend);
  el_set(impl.edit, EL_BIND, "^Z", "suspend", nullptr);
  el_wset(impl.edit, EL_ADDFN, L"paste", L"Insert a paste", &Impl::on_paste);
  el_set(impl.edit, EL_BIND, "\\e[200~", "paste", nullptr);
  el_wset(impl.edit, EL_ADDFN, L"complete", L"Complete a command", &Impl::on_tab);
  el_set(impl.edit, EL_BIND, "^I", "complete", nullptr);
}

LineReader::~LineReader() {
  el_end(impl_->edit);
  history_end(impl_->history);
}

LineReader::End LineReader::read(const std::string& prompt, std::string& line, std::string_view prefill) {
  Impl& impl = *impl_;
  impl.prompt = prompt;
  impl.interrupted = false;
  if (impl.bracketed_paste) std::fputs("\x1b[?2004h", stdout);
  std::fflush(stdout);
  if (!prefill.empty())  // as a paste, so that its line breaks do not send it
    el_push(impl.edit, fmt::format("{}{}{}", kPasteBegin, without_controls(prefill), kPasteEnd).c_str());
  int count = 0;
  const char* text = el_gets(impl.edit, &count);
  if (impl.bracketed_paste) std::fputs("\x1b[?2004l", stdout);
  line.assign(text && count > 0 ? std::string_view(text, static_cast<size_t>(count)) : std::string_view());
  if (impl.interrupted) {
    std::fputs("^C\n", stdout);
    return End::kInterrupt;
  }
  if (line.empty()) {
    std::fputc('\n', stdout);
    return End::kEndOfInput;
  }
  if (line.ends_with('\n')) line.pop_back();
  return End::kLine;
}

void LineReader::remember(const std::string& text) {
  HistEvent event;
  ::history(impl_->history, &event, H_ENTER, text.c_str());
  impl_->save_history();
}

}  // namespace hearth
