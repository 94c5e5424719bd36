#include "runtime/tokenizer/regex.h"

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

// Oniguruma's \s, \w and their complements where PCRE2's differ (U+180E is no space; marks and connectors are word
// characters), and refuses what means something else in the two dialects.
std::string translate(const std::string& pattern) {
  std::string out;
  bool in_class = false;
  bool after_counted = false;  // behind the '}' of {n,m}
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool was_counted = after_counted;
    after_counted = false;
    if (c == '\\' && i + 1 < pattern.size()) {
      const char kind = pattern[++i];
      if (kind == 's') {
        out += "\\p{WSpace}";
      } else if (kind == 'S') {
        out += "\\P{WSpace}";
      } else if (kind == 'w') {
        out += in_class ? "\\p{L}\\p{M}\\p{Nd}\\p{Pc}" : "[\\p{L}\\p{M}\\p{Nd}\\p{Pc}]";
      } else if (kind == 'W' && !in_class) {
        out += "[^\\p{L}\\p{M}\\p{Nd}\\p{Pc}]";
      } else if (kind == 'W' || kind == 'h' || kind == 'H') {
        throw data_corruption("regular expression '{}': \\{} is not supported{}", pattern, kind,
                              kind == 'W' ? " inside [...]" : "");
      } else {
        if ((kind == 'p' || kind == 'P') && i + 1 < pattern.size() && pattern[i + 1] == '{') {
          const size_t close = std::min(pattern.find('}', i), pattern.size() - 1);
          out += '\\';
          out.append(pattern, i, close - i + 1);
          i = close;
          continue;
        }
        out += '\\';
        out += kind;
      }
      continue;
    }
    if (c == '+' && was_counted)
      throw data_corruption("regular expression '{}': '+' behind {{n,m}} is not supported", pattern);
    if (c == '[' && in_class && pattern.compare(i, 2, "[:") != 0) {
      throw data_corruption("regular expression '{}': nested [...] is not supported", pattern);
    }
    if (c == '&' && in_class && pattern.compare(i, 2, "&&") == 0) {
      throw data_corruption("regular expression '{}': '&&' inside [...] is not supported", pattern);
    }
    out += c;
    if (in_class && c == '[') {  // [:alpha:]
      const size_t close = pattern.find(":]", i);
      if (close != std::string::npos) {
        out.append(pattern, i + 1, close + 1 - i);
        i = close + 1;
      }
    } else if (!in_class && c == '[') {
      in_class = true;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
    } else if (c == ']') {
      in_class = false;
    } else if (c == '}' && !in_class) {
      after_counted = true;
    }
  }
  return out;
}

}  // namespace

Regex::Regex(const std::string& pattern) : pattern_(pattern) {
  const std::unique_ptr<pcre2_compile_context, Free> context(pcre2_compile_context_create(nullptr));
  if (!context) throw resource_exhausted("out of memory for regular expressions");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  const std::string translated = translate(pattern);
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
