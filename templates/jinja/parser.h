// Tokens to an Ast, by Jinja's grammar: its precedence, its tuples, its tests without parentheses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "templates/jinja/ast.h"
#include "templates/jinja/lexer.h"

namespace hearth::jinja {

class Parser {
 public:
  explicit Parser(std::string_view source);
  Ast parse();

 private:
  // Bounds the parser's recursion.
  class Nested {
   public:
    explicit Nested(Parser& parser);
    ~Nested() { --parser_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Parser& parser_;
  };

  // Which special names the code being parsed reads; one for each open loop body and macro.
  struct Uses {
    bool loop = false, caller = false, kwargs = false, varargs = false;
  };

  // Tokens.
  const Token& current() const { return tokens_[position_]; }
  const Token& ahead() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  const Token& take();
  bool accept_name(std::string_view name);
  bool accept_operator(std::string_view op);
  void expect_name(std::string_view name);
  void expect_operator(std::string_view op);
  std::string expect_identifier();
  void expect_block_end();
  [[noreturn]] void fail(const std::string& cause, int line) const;
  [[noreturn]] void unexpected(const Token& token, std::string_view wanted) const;
  static std::string describe(const Token& token);

  // Statements (parser.cpp). The body ends before the one of `ends` that it meets, which becomes current.
  Body parse_body(std::initializer_list<std::string_view> ends, std::string_view opened, int line);
  Body parse_block_body(std::string_view end, int line);
  void parse_until(std::vector<const Statement*>& out, std::initializer_list<std::string_view> ends);
  const Statement* parse_statement();
  const Statement* parse_for(int line);
  const Statement* parse_if(int line);
  const Statement* parse_set(int line);
  const Statement* parse_with(int line);
  const Statement* parse_macro(int line);
  const Statement* parse_call_block(int line);
  const Statement* parse_filter_block(int line);
  const Statement* parse_named_block(int line);
  const Statement* parse_autoescape(int line);
  const Statement* parse_generation(int line);
  const Statement* parse_print(int line);
  const Statement* parse_jump(bool is_break, int line);
  void parse_signature(MacroDefinition& macro);
  void parse_macro_body(MacroDefinition& macro, std::string_view end, int line);
  const Target* parse_target(bool attributes, bool tuples = true);
  const Target* parse_single_target(bool attributes);

  // Expressions (expression_parser.cpp).
  const Expr* parse_tuple(bool conditional = true, bool parenthesized = false, std::string_view end_name = {});
  const Expr* parse_expression(bool conditional = true) { return conditional ? parse_conditional() : parse_or(); }
  const Expr* parse_conditional();
  const Expr* parse_or();
  const Expr* parse_and();
  const Expr* parse_not();
  const Expr* parse_compare();
  const Expr* parse_sum();
  const Expr* parse_concat();
  const Expr* parse_product();
  const Expr* parse_power();
  const Expr* parse_unary(bool filters = true);
  const Expr* parse_primary();
  const Expr* parse_name();
  const Expr* parse_string();
  const Expr* parse_list();
  const Expr* parse_dict();
  const Expr* parse_postfix(const Expr* expr);
  const Expr* parse_filters_and_tests(const Expr* expr);
  const Expr* parse_subscript(const Expr* object);
  const Expr* parse_call(const Expr* callee);
  CallArguments parse_arguments();
  const Expr* parse_filter(const Expr* operand);
  const Expr* parse_filter_chain(const Expr* operand, bool inline_start);
  const Expr* parse_test(const Expr* operand);
  std::string parse_dotted_name();
  const Expr* constant(Value value, int line);
  bool at_tuple_end(std::string_view end_name) const;

  std::vector<Token> tokens_;
  size_t position_ = 0;
  int depth_ = 0;
  int loops_ = 0;        // open loops, for break and continue
  int conditions_ = 0;   // open ifs, in which an unknown filter is an error only when reached
  size_t captures_ = 0;  // macros, call blocks and recursive loops so far
  std::vector<Uses> uses_;
  Ast ast_;
};

}  // namespace hearth::jinja
