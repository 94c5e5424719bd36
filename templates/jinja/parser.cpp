#include "templates/jinja/parser.h"

#include <algorithm>

namespace hearth::jinja {
namespace {

constexpr size_t kMaxSourceBytes = size_t{4} << 20;
constexpr int kMaxDepth = 200;

}  // namespace

Parser::Parser(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    throw SyntaxFault(fmt::format("the template has {} bytes, at most {} are allowed", source.size(), kMaxSourceBytes),
                      1);
  }
  tokens_ = tokenize(source);
}

Parser::Nested::Nested(Parser& parser) : parser_(parser) {
  if (parser_.depth_ >= kMaxDepth)
    parser_.fail(fmt::format("nested more than {} deep", kMaxDepth), parser_.current().line);
  ++parser_.depth_;
}

Ast Parser::parse() {
  uses_.emplace_back();
  parse_until(ast_.root.statements, {});
  ast_.root.captured = true;
  return std::move(ast_);
}

const Token& Parser::take() {
  const Token& token = tokens_[position_];
  if (position_ + 1 < tokens_.size()) ++position_;
  return token;
}

bool Parser::accept_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  take();
  return true;
}

bool Parser::accept_operator(std::string_view op) {
  if (!current().is_operator(op)) return false;
  take();
  return true;
}

void Parser::expect_name(std::string_view name) {
  if (!accept_name(name)) unexpected(current(), fmt::format("'{}'", name));
}

void Parser::expect_operator(std::string_view op) {
  if (!accept_operator(op)) unexpected(current(), fmt::format("'{}'", op));
}

std::string Parser::expect_identifier() {
  if (!current().is(TokenType::kName)) unexpected(current(), "a name");
  return take().text;
}

void Parser::expect_block_end() {
  if (!current().is(TokenType::kBlockEnd)) unexpected(current(), "end of statement block");
  take();
}

void Parser::fail(const std::string& cause, int line) const { throw SyntaxFault(cause, line); }

void Parser::unexpected(const Token& token, std::string_view wanted) const {
  fail(fmt::format("expected {}, got {}", wanted, describe(token)), token.line);
}

std::string Parser::describe(const Token& token) {
  switch (token.type) {
    case TokenType::kData:
      return "template text";
    case TokenType::kVariableBegin:
      return "'{{'";
    case TokenType::kVariableEnd:
      return "'}}'";
    case TokenType::kBlockBegin:
      return "'{%'";
    case TokenType::kBlockEnd:
      return "'%}'";
    case TokenType::kString:
      return "a string";
    case TokenType::kFloat:
      return "a number";
    case TokenType::kEnd:
      return "the end of the template";
    default:
      return fmt::format("'{}'", token.text);
  }
}

void Parser::parse_until(std::vector<const Statement*>& out, std::initializer_list<std::string_view> ends) {
  OutputStatement* output = nullptr;
  const auto add = [&](const Expr* expr) {
    if (!output) {
      output = ast_.make<OutputStatement>(expr->line);
      out.push_back(output);
    }
    output->items.push_back(expr);
  };
  while (!current().is(TokenType::kEnd)) {
    const Token& token = take();
    if (token.is(TokenType::kData)) {
      add(constant(Value::text(token.text), token.line));
    } else if (token.is(TokenType::kVariableBegin)) {
      add(parse_tuple());
      if (!current().is(TokenType::kVariableEnd)) unexpected(current(), "end of print statement");
      take();
    } else {
      output = nullptr;
      if (std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return current().is_name(end); })) return;
      out.push_back(parse_statement());
      expect_block_end();
    }
  }
}

Body Parser::parse_body(std::initializer_list<std::string_view> ends, std::string_view opened, int line) {
  const Nested nested(*this);
  accept_operator(":");
  expect_block_end();
  Body body;
  const size_t captures = captures_;
  parse_until(body.statements, ends);
  if (current().is(TokenType::kEnd)) {
    fail(fmt::format("unexpected end of the template: the '{}' of line {} is not closed by '{}'", opened, line,
                     *(ends.end() - 1)),
         current().line);
  }
  body.captured = captures_ != captures;
  return body;
}

// With the tag that ends it.
Body Parser::parse_block_body(std::string_view end, int line) {
  Body body = parse_body({end}, end.substr(3), line);
  take();
  return body;
}

const Statement* Parser::parse_statement() {
  const Nested nested(*this);
  const Token& token = current();
  if (!token.is(TokenType::kName)) unexpected(token, "a tag name");
  take();
  const int line = token.line;
  const std::string& tag = token.text;
  if (tag == "for") return parse_for(line);
  if (tag == "if") return parse_if(line);
  if (tag == "set") return parse_set(line);
  if (tag == "with") return parse_with(line);
  if (tag == "macro") return parse_macro(line);
  if (tag == "call") return parse_call_block(line);
  if (tag == "filter") return parse_filter_block(line);
  if (tag == "block") return parse_named_block(line);
  if (tag == "autoescape") return parse_autoescape(line);
  if (tag == "generation") return parse_generation(line);
  if (tag == "print") return parse_print(line);
  if (tag == "break" || tag == "continue") return parse_jump(tag == "break", line);
  if (tag == "include" || tag == "import" || tag == "from" || tag == "extends") {
    fail(fmt::format("'{}' needs other templates: a chat template has none", tag), line);
  }
  fail(fmt::format("Encountered unknown tag '{}'.", tag), line);
}

const Statement* Parser::parse_for(int line) {
  auto* node = ast_.make<ForStatement>(line);
  node->target = parse_target(false);
  expect_name("in");
  node->iterable = parse_tuple(false, false, "recursive");
  if (accept_name("if")) node->test = parse_expression();
  node->recursive = accept_name("recursive");
  if (node->recursive) ++captures_;
  uses_.emplace_back();
  ++loops_;
  node->body = parse_body({"else", "endfor"}, "for", line);
  --loops_;
  node->uses_loop = uses_.back().loop || node->recursive;
  Uses inner = uses_.back();
  uses_.pop_back();
  inner.loop = false;
  uses_.back().caller |= inner.caller;
  uses_.back().kwargs |= inner.kwargs;
  uses_.back().varargs |= inner.varargs;
  if (take().text == "else") node->otherwise = parse_block_body("endfor", line);
  return node;
}

const Statement* Parser::parse_if(int line) {
  auto* node = ast_.make<IfStatement>(line);
  ++conditions_;
  while (true) {
    IfStatement::Branch branch;
    branch.condition = parse_tuple(false);
    branch.body = parse_body({"elif", "else", "endif"}, "if", line);
    node->branches.push_back(std::move(branch));
    const std::string end = take().text;
    if (end == "elif") continue;
    if (end == "else") node->branches.push_back({nullptr, parse_block_body("endif", line)});
    break;
  }
  --conditions_;
  return node;
}

const Statement* Parser::parse_set(int line) {
  const Target* target = parse_target(true);
  if (accept_operator("=")) {
    auto* node = ast_.make<SetStatement>(line);
    node->target = target;
    node->value = parse_tuple();
    return node;
  }
  auto* node = ast_.make<SetBlockStatement>(line);
  node->target = target;
  node->filter = parse_filter_chain(nullptr, false);
  node->body = parse_block_body("endset", line);
  return node;
}

const Statement* Parser::parse_with(int line) {
  auto* node = ast_.make<WithStatement>(line);
  while (!current().is(TokenType::kBlockEnd)) {
    if (!node->bindings.empty()) expect_operator(",");
    const Target* target = parse_target(false, false);
    expect_operator("=");
    node->bindings.emplace_back(target, parse_expression());
  }
  node->body = parse_block_body("endwith", line);
  return node;
}

void Parser::parse_signature(MacroDefinition& macro) {
  expect_operator("(");
  bool defaults = false;
  while (!current().is_operator(")")) {
    if (!macro.parameters.empty()) expect_operator(",");
    const int line = current().line;
    Parameter parameter;
    parameter.name = expect_identifier();
    parameter.symbol = ast_.intern(parameter.name);
    if (accept_operator("=")) {
      parameter.otherwise = parse_expression();
      defaults = true;
    } else if (defaults) {
      fail("non-default argument follows default argument", line);
    }
    macro.parameters.push_back(std::move(parameter));
  }
  expect_operator(")");
}

void Parser::parse_macro_body(MacroDefinition& macro, std::string_view end, int line) {
  ++captures_;
  uses_.emplace_back();
  const int loops = std::exchange(loops_, 0);
  macro.body = parse_block_body(end, line);
  loops_ = loops;
  const Uses used = uses_.back();
  uses_.pop_back();
  uses_.back().loop |= used.loop;  // of the loop around it
  const auto declared = [&](std::string_view name) {
    return std::any_of(macro.parameters.begin(), macro.parameters.end(),
                       [&](const Parameter& p) { return p.name == name; });
  };
  macro.uses_caller = used.caller && !declared("caller");
  macro.uses_kwargs = used.kwargs && !declared("kwargs");
  macro.uses_varargs = used.varargs && !declared("varargs");
}

const Statement* Parser::parse_macro(int line) {
  auto* node = ast_.make<MacroStatement>(line);
  node->definition.name = expect_identifier();
  node->symbol = ast_.intern(node->definition.name);
  parse_signature(node->definition);
  parse_macro_body(node->definition, "endmacro", line);
  return node;
}

const Statement* Parser::parse_call_block(int line) {
  auto* node = ast_.make<CallBlockStatement>(line);
  if (current().is_operator("(")) parse_signature(node->caller);
  node->caller.name = "caller";
  const Expr* call = parse_expression();
  if (call->kind != ExprKind::kCall) fail("expected call", line);
  node->call = static_cast<const CallExpr*>(call);
  parse_macro_body(node->caller, "endcall", line);
  return node;
}

const Statement* Parser::parse_filter_block(int line) {
  auto* node = ast_.make<FilterBlockStatement>(line);
  node->filter = parse_filter_chain(nullptr, true);
  node->body = parse_block_body("endfilter", line);
  return node;
}

// Without inheritance a block is a scope.
const Statement* Parser::parse_named_block(int line) {
  auto* node = ast_.make<ScopeStatement>(line);
  const std::string name = expect_identifier();
  accept_name("scoped");
  if (current().is_name("required")) fail("a required block needs a template that extends this one", line);
  node->body = parse_block_body("endblock", line);
  accept_name(name);
  return node;
}

const Statement* Parser::parse_autoescape(int line) {
  const Expr* value = parse_expression();
  const bool off = value->kind == ExprKind::kConstant && !truthy(static_cast<const ConstantExpr*>(value)->value);
  if (!off) fail("autoescape is not supported: a prompt is not HTML", line);
  auto* node = ast_.make<ScopeStatement>(line);
  node->body = parse_block_body("endautoescape", line);
  return node;
}

const Statement* Parser::parse_generation(int line) {
  auto* node = ast_.make<GenerationStatement>(line);
  const int loops = std::exchange(loops_, 0);
  node->body = parse_block_body("endgeneration", line);
  loops_ = loops;
  return node;
}

const Statement* Parser::parse_print(int line) {
  auto* node = ast_.make<OutputStatement>(line);
  while (!current().is(TokenType::kBlockEnd)) {
    if (!node->items.empty()) expect_operator(",");
    node->items.push_back(parse_expression());
  }
  return node;
}

const Statement* Parser::parse_jump(bool is_break, int line) {
  if (loops_ == 0) fail(fmt::format("'{}' outside a loop", is_break ? "break" : "continue"), line);
  if (is_break) return ast_.make<BreakStatement>(line);
  return ast_.make<ContinueStatement>(line);
}

const Target* Parser::parse_single_target(bool attributes) {
  const Nested nested(*this);
  const int line = current().line;
  if (accept_operator("(")) {
    const Target* target = parse_target(attributes);
    expect_operator(")");
    return target;
  }
  auto* target = ast_.make<Target>(line);
  const std::string name = expect_identifier();
  static constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved)) {
    fail(fmt::format("can't assign to '{}'", name), line);
  }
  target->symbol = ast_.intern(name);
  if (attributes && accept_operator(".")) {
    target->type = Target::Type::kAttribute;
    target->attribute = expect_identifier();
  }
  return target;
}

const Target* Parser::parse_target(bool attributes, bool tuples) {
  const int line = current().line;
  const Target* first = parse_single_target(attributes);
  if (!tuples || !current().is_operator(",")) return first;
  auto* tuple = ast_.make<Target>(line);
  tuple->type = Target::Type::kTuple;
  tuple->items.push_back(first);
  while (accept_operator(",")) {
    const Token& token = current();
    const bool end =
        token.is(TokenType::kBlockEnd) || token.is_operator(")") || token.is_operator("=") || token.is_name("in");
    if (end) break;
    tuple->items.push_back(parse_single_target(attributes));
  }
  return tuple;
}

}  // namespace hearth::jinja
