// Calls of tools as a grammar, in the spelling of a format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/grammar/grammar.h"
#include "runtime/tokenizer/tokenizer.h"
#include "server/openai_types.h"
#include "templates/tool_parsers/call_format.h"

namespace hearth {

// A tool that an answer may call.
struct CallableTool {
  std::string name;
  nlohmann::ordered_json parameters;  // JSON Schema of an object
  bool strict = false;
  std::string param;  // "tools[0].function.parameters", for errors
};
bool is_strict(const nlohmann::ordered_json& tool);
std::vector<CallableTool> callable_tools(const ConversationFields& conversation);

// With what calls begin in a format without marks.
std::vector<std::string> beginnings_of_calls(const CallFormat& format, const std::vector<CallableTool>& tools);

// Marks as a model writes them: control tokens where the vocabulary has such.
class MarkSpeller {
 public:
  // `tokens`: TokenTable's controls.
  MarkSpeller(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens);
  Expr spell(std::string_view mark) const;

 private:
  std::vector<std::string> controls_;
};

class CallGrammar {
 public:
  CallGrammar(Grammar& grammar, const CallFormat& format, MarkSpeller speller, bool parallel)
      : grammar_(grammar), format_(format), speller_(std::move(speller)), parallel_(parallel) {}

  // One call or several, with all that is around them; `begun`: the mark before the first stands in the prompt. Throws
  // a 400 for parameters of a strict tool that cannot be enforced.
  Expr calls(const std::vector<CallableTool>& tools, bool begun);

 private:
  Expr mark(std::string_view text) const { return speller_.spell(text); }
  Expr call(const CallableTool& tool, bool begun);
  Expr json_arguments(const CallableTool& tool);
  Expr marked_arguments(const CallableTool& tool);
  Expr python_arguments(const CallableTool& tool);
  Expr gemma4_arguments(const CallableTool& tool);
  Expr gemma4_any();
  Expr between_marks(const CallableTool& tool, const std::string& key);
  Expr json_value(const CallableTool& tool, const std::string& key);
  // The properties of the schema in their order, those that are required always; `between` stands between two.
  template <class Property>
  Expr properties(const CallableTool& tool, std::string_view between, const Property& property);

  Grammar& grammar_;
  const CallFormat& format_;
  MarkSpeller speller_;
  bool parallel_;
};

}  // namespace hearth
