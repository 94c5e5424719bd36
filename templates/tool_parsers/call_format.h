// How models write calls of tools, a row a format: what is read (message_parser.h), written back into prompts
// (write_calls.h) and enforced (server/message_grammar.h) all come from these rows. Sources: the chat templates that
// the models are published with, and LLaMA-Factory's data/tool_utils.py.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "templates/llamafactory/slots.h"

namespace hearth {

enum class CallBody : uint8_t {
  kJson,        // {"name": "f", "arguments": {...}}, or a list of them
  kNamed,       // f, then its arguments as JSON
  kParameters,  // f, then each argument between marks: texts as they are, all else as JSON
  kPython,      // [f(key=value, ...), ...]
  kGemma4,      // call:f{key:value,...} with texts between <|"|>
  kHarmony,     // messages on channels: reasoning, calls and text alike
};

// Marks are written with the blanks around them, and found whatever blanks there are. An empty one is not there.
struct CallFormat {
  std::string_view name;
  CallBody body = CallBody::kJson;
  std::string_view begin = {}, end = {};            // around all calls of an answer
  std::string_view call_begin = {}, call_end = {};  // around each
  std::string_view between = {};
  std::string_view tag = {};  // may stand before a bare call
  // kJson
  bool is_list = false;  // whether a list is written; read are both
  std::string_view name_key = "name", arguments_key = "arguments";
  // kNamed, kParameters
  std::string_view id_begin = {};  // between a name and name_end may stand the call's id
  std::string_view name_end = {};
  std::string_view text_name = {};  // what stands in place of a function's name before text
  // kParameters
  std::string_view key_begin = {}, key_end = {}, value_end = {};
  // Ids of calls have nine letters and digits, which the model's template insists on.
  bool short_ids = false;

  // Whether only an answer's first characters tell calls from text.
  bool is_bare() const { return begin.empty() && call_begin.empty(); }
  // Whether an answer may have several calls.
  bool takes_several() const {
    return body != CallBody::kHarmony && (is_list || body == CallBody::kPython || !is_bare() || !between.empty());
  }
  // What in a text begins calls, without blanks around it.
  std::vector<std::string> text_marks() const;
  // All marks, without blanks around them.
  std::vector<std::string> marks() const;
};

// Without the blanks around it.
std::string_view bare_mark(std::string_view mark);

std::span<const CallFormat> call_formats();
// Null for a name that is not in the table.
const CallFormat* find_call_format(std::string_view name);
// Throws kInvalidArgument for such a name, with those that there are; `where` is put before.
void check_call_format(std::string_view name, std::string_view where);
// What a template (Jinja) shows the model, by the marks in it; null where it shows none.
const CallFormat* call_format_of_template(std::string_view source);
const CallFormat& call_format_of(ToolFormat format);
// The one for models whose template knows no tools.
const CallFormat& default_call_format();

// What stands around a model's reasoning, without blanks; both empty: it does not reason.
struct ReasoningFormat {
  std::string_view begin = {}, end = {};

  bool empty() const { return begin.empty(); }
};

ReasoningFormat reasoning_of_template(std::string_view source);
// Where a prompt leaves off: within the reasoning, say because the template has begun it.
bool has_begun(const ReasoningFormat& format, std::string_view prompt);
// Where a prompt has a whole reasoning, perhaps an empty one, as its last words: the model does not reason again.
bool has_ended(const ReasoningFormat& format, std::string_view prompt);

// How a model's answers are told apart.
struct MessageFormat {
  const CallFormat* calls = nullptr;  // null: there are none
  ReasoningFormat reasoning = {};
  bool shows_tools = true;   // the template shows tools to the model
  bool writes_calls = true;  // ... and earlier calls

  std::vector<std::string> marks() const;
};

}  // namespace hearth
