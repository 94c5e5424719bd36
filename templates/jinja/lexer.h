// Template source to tokens, as Jinja's lexer with trim_blocks and lstrip_blocks: a newline after a block tag is
// dropped, white space from the beginning of a line to a block tag too, "-" strips and "+" keeps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "templates/jinja/value.h"

namespace hearth::jinja {

enum class TokenType {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenType type = TokenType::kEnd;
  std::string text;  // data, a name, an operator, or a string without quotes and escapes
  Value value;       // of an integer or a float
  int line = 1;

  bool is(TokenType t) const { return type == t; }
  bool is_name(std::string_view name) const { return type == TokenType::kName && text == name; }
  bool is_operator(std::string_view op) const { return type == TokenType::kOperator && text == op; }
};

// A mistake in the source.
class SyntaxFault : public std::runtime_error {
 public:
  SyntaxFault(const std::string& cause, int at) : std::runtime_error(cause), line(at) {}
  const int line;
};

// The last token is kEnd.
std::vector<Token> tokenize(std::string_view source);

}  // namespace hearth::jinja
