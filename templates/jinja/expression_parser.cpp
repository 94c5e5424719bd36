// The expressions of Parser, from the loosest binding to the tightest.
#include <array>

#include "templates/jinja/parser.h"

namespace hearth::jinja {

const Expr* Parser::constant(Value value, int line) {
  auto* node = ast_.make<ConstantExpr>(line);
  node->value = std::move(value);
  return node;
}

bool Parser::at_tuple_end(std::string_view end_name) const {
  const Token& token = current();
  return token.is(TokenType::kVariableEnd) || token.is(TokenType::kBlockEnd) || token.is_operator(")") ||
         (!end_name.empty() && token.is_name(end_name));
}

const Expr* Parser::parse_tuple(bool conditional, bool parenthesized, std::string_view end_name) {
  const int line = current().line;
  std::vector<const Expr*> items;
  bool tuple = false;
  while (true) {
    if (!items.empty()) expect_operator(",");
    if (at_tuple_end(end_name)) break;
    items.push_back(parse_expression(conditional));
    if (!current().is_operator(",")) break;
    tuple = true;
  }
  if (!tuple) {
    if (!items.empty()) return items[0];
    if (!parenthesized) unexpected(current(), "an expression");
  }
  auto* node = ast_.make<SequenceExpr>(line);
  node->tuple = true;
  node->items = std::move(items);
  return node;
}

const Expr* Parser::parse_conditional() {
  const Nested nested(*this);
  const int line = current().line;
  const Expr* expr = parse_or();
  while (accept_name("if")) {
    auto* node = ast_.make<ConditionalExpr>(line);
    ++conditions_;
    node->then = expr;
    node->condition = parse_or();
    node->otherwise = accept_name("else") ? parse_conditional() : nullptr;
    --conditions_;
    expr = node;
  }
  return expr;
}

const Expr* Parser::parse_or() {
  const Expr* left = parse_and();
  while (current().is_name("or")) {
    auto* node = ast_.make<LogicalExpr>(take().line);
    node->both = false;
    node->left = left;
    node->right = parse_and();
    left = node;
  }
  return left;
}

const Expr* Parser::parse_and() {
  const Expr* left = parse_not();
  while (current().is_name("and")) {
    auto* node = ast_.make<LogicalExpr>(take().line);
    node->left = left;
    node->right = parse_not();
    left = node;
  }
  return left;
}

const Expr* Parser::parse_not() {
  if (!current().is_name("not")) return parse_compare();
  const Nested nested(*this);
  auto* node = ast_.make<UnaryExpr>(take().line);
  node->operand = parse_not();
  return node;
}

const Expr* Parser::parse_compare() {
  static constexpr std::array<std::pair<std::string_view, Comparison>, 6> kOperators{
      {{"==", Comparison::kEqual},
       {"!=", Comparison::kNotEqual},
       {"<", Comparison::kLess},
       {"<=", Comparison::kLessEqual},
       {">", Comparison::kGreater},
       {">=", Comparison::kGreaterEqual}}};
  const int line = current().line;
  const Expr* first = parse_sum();
  std::vector<std::pair<Comparison, const Expr*>> rest;
  while (true) {
    std::optional<Comparison> op;
    for (const auto& [text, comparison] : kOperators) {
      if (current().is_operator(text)) op = comparison;
    }
    if (current().is_name("in")) op = Comparison::kIn;
    if (current().is_name("not") && ahead().is_name("in")) {
      op = Comparison::kNotIn;
      take();
    }
    if (!op) break;
    take();
    rest.emplace_back(*op, parse_sum());
  }
  if (rest.empty()) return first;
  auto* node = ast_.make<CompareExpr>(line);
  node->first = first;
  node->rest = std::move(rest);
  return node;
}

const Expr* Parser::parse_sum() {
  const Expr* left = parse_concat();
  while (current().is_operator("+") || current().is_operator("-")) {
    const Token& op = take();
    auto* node = ast_.make<ArithmeticExpr>(op.line);
    node->op = op.text == "+" ? Arithmetic::kAdd : Arithmetic::kSubtract;
    node->left = left;
    node->right = parse_concat();
    left = node;
  }
  return left;
}

const Expr* Parser::parse_concat() {
  const Expr* first = parse_product();
  if (!current().is_operator("~")) return first;
  auto* node = ast_.make<ConcatExpr>(current().line);
  node->items.push_back(first);
  while (accept_operator("~")) node->items.push_back(parse_product());
  return node;
}

const Expr* Parser::parse_product() {
  const Expr* left = parse_power();
  while (true) {
    const Token& op = current();
    Arithmetic arithmetic = Arithmetic::kMultiply;
    if (op.is_operator("/")) {
      arithmetic = Arithmetic::kDivide;
    } else if (op.is_operator("//")) {
      arithmetic = Arithmetic::kFloorDivide;
    } else if (op.is_operator("%")) {
      arithmetic = Arithmetic::kModulo;
    } else if (!op.is_operator("*")) {
      return left;
    }
    auto* node = ast_.make<ArithmeticExpr>(take().line);
    node->op = arithmetic;
    node->left = left;
    node->right = parse_power();
    left = node;
  }
}

const Expr* Parser::parse_power() {
  const Expr* left = parse_unary();
  while (current().is_operator("**")) {
    auto* node = ast_.make<ArithmeticExpr>(take().line);
    node->op = Arithmetic::kPower;
    node->left = left;
    node->right = parse_unary();
    left = node;
  }
  return left;
}

const Expr* Parser::parse_unary(bool filters) {
  const Nested nested(*this);
  const Expr* expr = nullptr;
  if (current().is_operator("-") || current().is_operator("+")) {
    const Token& sign = take();
    auto* node = ast_.make<UnaryExpr>(sign.line);
    node->op = sign.text == "-" ? UnaryExpr::Op::kMinus : UnaryExpr::Op::kPlus;
    node->operand = parse_unary(false);
    expr = node;
  } else {
    expr = parse_primary();
  }
  expr = parse_postfix(expr);
  return filters ? parse_filters_and_tests(expr) : expr;
}

const Expr* Parser::parse_primary() {
  const Token& token = current();
  switch (token.type) {
    case TokenType::kName:
      return parse_name();
    case TokenType::kString:
      return parse_string();
    case TokenType::kInteger:
    case TokenType::kFloat:
      take();
      return constant(token.value, token.line);
    default:
      break;
  }
  if (accept_operator("(")) {
    const Expr* expr = parse_tuple(true, true);
    expect_operator(")");
    return expr;
  }
  if (token.is_operator("[")) return parse_list();
  if (token.is_operator("{")) return parse_dict();
  fail(fmt::format("unexpected {}", describe(token)), token.line);
}

const Expr* Parser::parse_name() {
  const Token& token = take();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(true, token.line);
  if (name == "false" || name == "False") return constant(false, token.line);
  if (name == "none" || name == "None") return constant(None{}, token.line);
  if (name == "loop") uses_.back().loop = true;
  if (name == "caller") uses_.back().caller = true;
  if (name == "kwargs") uses_.back().kwargs = true;
  if (name == "varargs") uses_.back().varargs = true;
  auto* node = ast_.make<NameExpr>(token.line);
  node->symbol = ast_.intern(name);
  return node;
}

const Expr* Parser::parse_string() {
  const int line = current().line;
  std::string text;
  while (current().is(TokenType::kString)) text += take().text;
  return constant(Value::text(text), line);
}

const Expr* Parser::parse_list() {
  auto* node = ast_.make<SequenceExpr>(take().line);
  while (!current().is_operator("]")) {
    if (!node->items.empty()) expect_operator(",");
    if (current().is_operator("]")) break;
    node->items.push_back(parse_expression());
  }
  take();
  return node;
}

const Expr* Parser::parse_dict() {
  auto* node = ast_.make<DictExpr>(take().line);
  while (!current().is_operator("}")) {
    if (!node->items.empty()) expect_operator(",");
    if (current().is_operator("}")) break;
    const Expr* key = parse_expression();
    expect_operator(":");
    node->items.emplace_back(key, parse_expression());
  }
  take();
  return node;
}

const Expr* Parser::parse_postfix(const Expr* expr) {
  while (true) {
    if (current().is_operator(".") || current().is_operator("[")) {
      expr = parse_subscript(expr);
    } else if (current().is_operator("(")) {
      expr = parse_call(expr);
    } else {
      return expr;
    }
  }
}

const Expr* Parser::parse_filters_and_tests(const Expr* expr) {
  while (true) {
    if (current().is_operator("|")) {
      expr = parse_filter_chain(expr, false);
    } else if (current().is_name("is")) {
      expr = parse_test(expr);
    } else if (current().is_operator("(")) {
      expr = parse_call(expr);
    } else {
      return expr;
    }
  }
}

const Expr* Parser::parse_subscript(const Expr* object) {
  const Token& token = take();
  if (token.text == ".") {
    const Token& name = take();
    if (name.is(TokenType::kName)) {
      auto* node = ast_.make<AttributeExpr>(token.line);
      node->object = object;
      node->name = name.text;
      return node;
    }
    if (!name.is(TokenType::kInteger)) unexpected(name, "name or number");
    auto* node = ast_.make<SubscriptExpr>(token.line);
    node->object = object;
    node->key = constant(name.value, name.line);
    return node;
  }
  const auto at_end = [&] { return current().is_operator("]") || current().is_operator(","); };
  const Expr* start = current().is_operator(":") ? nullptr : parse_expression();
  if (accept_operator(":")) {
    auto* node = ast_.make<SliceExpr>(token.line);
    node->object = object;
    node->start = start;
    if (!at_end() && !current().is_operator(":")) node->stop = parse_expression();
    if (accept_operator(":") && !at_end()) node->step = parse_expression();
    expect_operator("]");
    return node;
  }
  auto* node = ast_.make<SubscriptExpr>(token.line);
  node->object = object;
  node->key = start;
  if (current().is_operator(",")) {
    auto* key = ast_.make<SequenceExpr>(token.line);
    key->tuple = true;
    key->items.push_back(start);
    while (accept_operator(",")) key->items.push_back(parse_expression());
    node->key = key;
  }
  expect_operator("]");
  return node;
}

CallArguments Parser::parse_arguments() {
  const int line = current().line;
  CallArguments out;
  const auto require = [&](bool condition) {
    if (!condition) fail("invalid syntax for function call expression", line);
  };
  expect_operator("(");
  for (bool first = true; !current().is_operator(")"); first = false) {
    if (!first) {
      expect_operator(",");
      if (current().is_operator(")")) break;
    }
    if (accept_operator("*")) {
      require(!out.star && !out.double_star);
      out.star = parse_expression();
    } else if (accept_operator("**")) {
      require(!out.double_star);
      out.double_star = parse_expression();
    } else if (current().is(TokenType::kName) && ahead().is_operator("=")) {
      require(!out.double_star);
      std::string name = take().text;
      take();
      out.keyword.emplace_back(std::move(name), parse_expression());
    } else {
      require(!out.star && !out.double_star && out.keyword.empty());
      out.positional.push_back(parse_expression());
    }
  }
  expect_operator(")");
  return out;
}

const Expr* Parser::parse_call(const Expr* callee) {
  auto* node = ast_.make<CallExpr>(current().line);
  node->callee = callee;
  node->arguments = parse_arguments();
  return node;
}

std::string Parser::parse_dotted_name() {
  std::string name = expect_identifier();
  while (accept_operator(".")) name += "." + expect_identifier();
  return name;
}

const Expr* Parser::parse_filter(const Expr* operand) {
  auto* node = ast_.make<FilterExpr>(current().line);
  node->operand = operand;
  node->name = parse_dotted_name();
  node->builtin = find_filter(node->name);
  if (!node->builtin && conditions_ == 0) fail(fmt::format("No filter named '{}'.", node->name), node->line);
  if (current().is_operator("(")) node->arguments = parse_arguments();
  return node;
}

const Expr* Parser::parse_filter_chain(const Expr* operand, bool inline_start) {
  const Expr* expr = operand;
  if (inline_start) expr = parse_filter(expr);
  while (accept_operator("|")) expr = parse_filter(expr);
  return expr;
}

const Expr* Parser::parse_test(const Expr* operand) {
  const int line = take().line;
  const bool negated = accept_name("not");
  auto* node = ast_.make<TestExpr>(line);
  node->operand = operand;
  node->name = parse_dotted_name();
  node->builtin = find_test(node->name);
  if (!node->builtin && conditions_ == 0) fail(fmt::format("No test named '{}'.", node->name), line);
  const Token& next = current();
  const bool value = next.is(TokenType::kString) || next.is(TokenType::kInteger) || next.is(TokenType::kFloat) ||
                     next.is_operator("[") || next.is_operator("{") || next.is(TokenType::kName);
  if (next.is_operator("(")) {
    node->arguments = parse_arguments();
  } else if (value && !next.is_name("else") && !next.is_name("or") && !next.is_name("and")) {
    if (next.is_name("is")) fail("You cannot chain multiple tests with is", next.line);
    node->arguments.positional.push_back(parse_postfix(parse_primary()));
  }
  if (!negated) return node;
  auto* negation = ast_.make<UnaryExpr>(line);
  negation->operand = node;
  return negation;
}

}  // namespace hearth::jinja
