#include "runtime/tokenizer/regex.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr uint32_t kMatchLimit = 10'000'000;  // backtracking steps of one match
constexpr size_t kJitStackBytes = size_t{1} << 20;

struct Free {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

// What a match writes to, one a thread. Only the whole match is of interest, so one pair of offsets serves every
// pattern.
struct MatchState {
  std::unique_ptr<pcre2_match_data, Free> data{pcre2_match_data_create(1, nullptr)};
  std::unique_ptr<pcre2_jit_stack, Free> stack{pcre2_jit_stack_create(32 * 1024, kJitStackBytes, nullptr)};
  std::unique_ptr<pcre2_match_context, Free> context{pcre2_match_context_create(nullptr)};
  MatchState() {
    if (!data || !stack || !context) throw resource_exhausted("out of memory for regular expressions");
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

MatchState& match_state() {
  thread_local MatchState state;
  return state;
}

std::string error_text(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

// In PCRE2 \p{Han} has what Han shares with other scripts too (script extensions); \p{sc:Han} is Oniguruma's.
bool is_script(const std::string& name) {
  const std::string pattern = fmt::format(R"(\p{{sc:{}}})", name);
  int code = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                       PCRE2_UTF | PCRE2_UCP, &code, &at, nullptr);
  pcre2_code_free(compiled);
  return compiled != nullptr;
}

// Writes Oniguruma's \s, \w, \b, their complements and scripts in PCRE2's terms where the two differ (U+180E is no
// space; marks, connectors, letter-like symbols and Latin-1's ², ½ and so on are word characters), and refuses what
// means something else in the two dialects.
class Translator {
 public:
  explicit Translator(const std::string& pattern) : in_(pattern) {}

  std::string translate() {
    bool was_counted = false;  // behind the '}' of {n,m}
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '+' && was_counted) refuse("'+' behind {n,m}");
      was_counted = c == '}' && !in_class_;
      if (c == '\\' && at_ + 1 < in_.size()) {
        escape();
      } else if (in_class_) {
        class_character();
      } else {
        copy(1);
        if (c == '[') open_class();
      }
    }
    return std::move(out_);
  }

 private:
  // With what is alphabetic but no letter, and the Latin-1 digits that Oniguruma's table of single bytes has.
  static constexpr const char* kWord =
      R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})"
      R"(\xB2\xB3\xB9\xBC-\xBE)";

  [[noreturn]] void refuse(const char* what) const {
    throw data_corruption("regular expression '{}': {} is not supported", in_, what);
  }

  void copy(size_t bytes) {
    out_.append(in_, at_, bytes);
    at_ += bytes;
  }

  void escape() {
    const char kind = in_[at_ + 1];
    if (kind == 'h' || kind == 'H') refuse("\\h");
    if (kind == 'W' && in_class_) refuse("\\W inside [...]");
    if ((kind == 'p' || kind == 'P') && in_.compare(at_ + 2, 1, "{") == 0) return property();
    if (kind == 's') {
      out_ += R"(\p{WSpace})";
    } else if (kind == 'S') {
      out_ += R"(\P{WSpace})";
    } else if (kind == 'w') {
      out_ += in_class_ ? kWord : fmt::format("[{}]", kWord);
    } else if (kind == 'W') {
      out_ += fmt::format("[^{}]", kWord);
    } else if (kind == 'b' && !in_class_) {
      out_ += fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", kWord);
    } else if (kind == 'B' && !in_class_) {
      out_ += fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", kWord);
    } else {
      return copy(2);
    }
    at_ += 2;
  }

  void property() {
    const size_t name = at_ + (in_.compare(at_ + 3, 1, "^") == 0 ? 4 : 3);
    const size_t end = std::min(in_.find('}', at_), in_.size());
    if (name < end && is_script(in_.substr(name, end - name))) {
      copy(name - at_);
      out_ += "sc:";
    }
    copy(std::min(end + 1, in_.size()) - at_);
  }

  void open_class() {
    in_class_ = true;
    if (in_.compare(at_, 1, "^") == 0) copy(1);
    if (in_.compare(at_, 1, "]") == 0) copy(1);
  }

  void class_character() {
    if (in_.compare(at_, 2, "&&") == 0) refuse("'&&' inside [...]");
    if (in_[at_] == '[') {
      const size_t close = in_.compare(at_, 2, "[:") == 0 ? in_.find(":]", at_) : std::string::npos;
      if (close == std::string::npos) refuse("a nested [...]");
      return copy(close + 2 - at_);  // [:alpha:]
    }
    if (in_[at_] == ']') in_class_ = false;
    copy(1);
  }

  const std::string& in_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

}  // namespace

Regex::Regex(const std::string& pattern) : pattern_(pattern) {
  const std::unique_ptr<pcre2_compile_context, Free> context(pcre2_compile_context_create(nullptr));
  if (!context) throw resource_exhausted("out of memory for regular expressions");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  const std::string translated = Translator(pattern).translate();
  int code = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, context.get());
  if (compiled == nullptr)
    throw data_corruption("regular expression '{}': {} at byte {}", pattern, error_text(code), at);
  code_ = {compiled, [](pcre2_code* p) { pcre2_code_free(p); }};
  jit_ = pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE) == 0;
}

std::optional<ByteRange> Regex::find(std::string_view text, size_t from) const {
  MatchState& state = match_state();
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const int rc = jit_ ? pcre2_jit_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, state.data.get(),
                                        state.context.get())
                      : pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, state.data.get(),
                                    state.context.get());
  if (rc == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (rc < 0)
    throw resource_exhausted("regular expression '{}' on a text of {} bytes: {}", pattern_, text.size(),
                             error_text(rc));
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(state.data.get());
  return ByteRange{offsets[0], offsets[1]};
}

}  // namespace hearth
