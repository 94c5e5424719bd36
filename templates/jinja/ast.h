// A parsed template. Nodes belong to the Ast; the pointers between them are borrowed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "templates/jinja/builtins.h"
#include "templates/jinja/operators.h"
#include "templates/jinja/value.h"

namespace hearth::jinja {

using Symbol = uint32_t;  // an interned variable name

struct Node {
  explicit Node(int at) : line(at) {}
  virtual ~Node() = default;
  const int line;
};

enum class ExprKind {
  kConstant,
  kName,
  kSequence,
  kDict,
  kUnary,
  kArithmetic,
  kLogical,
  kCompare,
  kConcat,
  kConditional,
  kAttribute,
  kSubscript,
  kSlice,
  kCall,
  kFilter,
  kTest
};

struct Expr : Node {
  Expr(ExprKind k, int at) : Node(at), kind(k) {}
  const ExprKind kind;
};

template <ExprKind k>
struct ExprOf : Expr {
  static constexpr ExprKind kKind = k;
  explicit ExprOf(int at) : Expr(k, at) {}
};

struct ConstantExpr : ExprOf<ExprKind::kConstant> {
  using ExprOf::ExprOf;
  Value value;
};
struct NameExpr : ExprOf<ExprKind::kName> {
  using ExprOf::ExprOf;
  Symbol symbol = 0;
};
struct SequenceExpr : ExprOf<ExprKind::kSequence> {
  using ExprOf::ExprOf;
  bool tuple = false;
  std::vector<const Expr*> items;
};
struct DictExpr : ExprOf<ExprKind::kDict> {
  using ExprOf::ExprOf;
  std::vector<std::pair<const Expr*, const Expr*>> items;
};
struct UnaryExpr : ExprOf<ExprKind::kUnary> {
  using ExprOf::ExprOf;
  enum class Op { kNot, kMinus, kPlus } op = Op::kNot;
  const Expr* operand = nullptr;
};
struct ArithmeticExpr : ExprOf<ExprKind::kArithmetic> {
  using ExprOf::ExprOf;
  Arithmetic op = Arithmetic::kAdd;
  const Expr *left = nullptr, *right = nullptr;
};
struct LogicalExpr : ExprOf<ExprKind::kLogical> {
  using ExprOf::ExprOf;
  bool both = true;  // and; else or
  const Expr *left = nullptr, *right = nullptr;
};
struct CompareExpr : ExprOf<ExprKind::kCompare> {
  using ExprOf::ExprOf;
  const Expr* first = nullptr;
  std::vector<std::pair<Comparison, const Expr*>> rest;  // chained as in Python: a < b < c
};
struct ConcatExpr : ExprOf<ExprKind::kConcat> {
  using ExprOf::ExprOf;
  std::vector<const Expr*> items;
};
struct ConditionalExpr : ExprOf<ExprKind::kConditional> {
  using ExprOf::ExprOf;
  const Expr *condition = nullptr, *then = nullptr, *otherwise = nullptr;  // otherwise may be null
};
struct AttributeExpr : ExprOf<ExprKind::kAttribute> {
  using ExprOf::ExprOf;
  const Expr* object = nullptr;
  std::string name;
};
struct SubscriptExpr : ExprOf<ExprKind::kSubscript> {
  using ExprOf::ExprOf;
  const Expr *object = nullptr, *key = nullptr;
};
struct SliceExpr : ExprOf<ExprKind::kSlice> {
  using ExprOf::ExprOf;
  const Expr *object = nullptr, *start = nullptr, *stop = nullptr, *step = nullptr;  // the last three may be null
};

struct CallArguments {
  std::vector<const Expr*> positional;
  std::vector<std::pair<std::string, const Expr*>> keyword;
  const Expr *star = nullptr, *double_star = nullptr;
};
struct CallExpr : ExprOf<ExprKind::kCall> {
  using ExprOf::ExprOf;
  const Expr* callee = nullptr;
  CallArguments arguments;
};
struct FilterExpr : ExprOf<ExprKind::kFilter> {
  using ExprOf::ExprOf;
  const Expr* operand = nullptr;  // null: the text of a filter or set block
  std::string name;
  const Builtin* builtin = nullptr;  // null: unknown, an error when reached
  CallArguments arguments;
};
struct TestExpr : ExprOf<ExprKind::kTest> {
  using ExprOf::ExprOf;
  const Expr* operand = nullptr;
  std::string name;
  const Builtin* builtin = nullptr;
  CallArguments arguments;
};

// What an assignment or a loop binds.
struct Target : Node {
  using Node::Node;
  enum class Type { kName, kAttribute, kTuple } type = Type::kName;
  Symbol symbol = 0;
  std::string attribute;  // of the namespace that the symbol names
  std::vector<const Target*> items;
};

enum class StatementKind {
  kOutput,
  kFor,
  kIf,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kScope,
  kGeneration,
  kBreak,
  kContinue
};

struct Statement : Node {
  Statement(StatementKind k, int at) : Node(at), kind(k) {}
  const StatementKind kind;
};

// Statements that run in one scope, or in a part of it.
struct Body {
  std::vector<const Statement*> statements;
  // A macro, a call block or a recursive loop inside keeps the scope alive after its end.
  bool captured = false;
};

template <StatementKind k>
struct StatementOf : Statement {
  static constexpr StatementKind kKind = k;
  explicit StatementOf(int at) : Statement(k, at) {}
};

struct OutputStatement : StatementOf<StatementKind::kOutput> {
  using StatementOf::StatementOf;
  std::vector<const Expr*> items;
};
struct ForStatement : StatementOf<StatementKind::kFor> {
  using StatementOf::StatementOf;
  const Target* target = nullptr;
  const Expr *iterable = nullptr, *test = nullptr;  // test may be null
  bool recursive = false;
  bool uses_loop = false;  // the body reads `loop`
  Body body, otherwise;
};
struct IfStatement : StatementOf<StatementKind::kIf> {
  using StatementOf::StatementOf;
  struct Branch {
    const Expr* condition = nullptr;  // null: else
    Body body;
  };
  std::vector<Branch> branches;
};
struct SetStatement : StatementOf<StatementKind::kSet> {
  using StatementOf::StatementOf;
  const Target* target = nullptr;
  const Expr* value = nullptr;
};
struct SetBlockStatement : StatementOf<StatementKind::kSetBlock> {
  using StatementOf::StatementOf;
  const Target* target = nullptr;
  const Expr* filter = nullptr;  // a chain whose innermost operand is null; may be null itself
  Body body;
};

struct Parameter {
  Symbol symbol = 0;
  std::string name;
  const Expr* otherwise = nullptr;  // null: undefined when not given
};
struct MacroDefinition {
  std::string name;
  std::vector<Parameter> parameters;
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
  Body body;
};
struct MacroStatement : StatementOf<StatementKind::kMacro> {
  using StatementOf::StatementOf;
  Symbol symbol = 0;
  MacroDefinition definition;
};
struct CallBlockStatement : StatementOf<StatementKind::kCallBlock> {
  using StatementOf::StatementOf;
  const CallExpr* call = nullptr;
  MacroDefinition caller;
};
struct FilterBlockStatement : StatementOf<StatementKind::kFilterBlock> {
  using StatementOf::StatementOf;
  const Expr* filter = nullptr;
  Body body;
};
struct WithStatement : StatementOf<StatementKind::kWith> {
  using StatementOf::StatementOf;
  std::vector<std::pair<const Target*, const Expr*>> bindings;
  Body body;
};
struct ScopeStatement : StatementOf<StatementKind::kScope> {
  using StatementOf::StatementOf;
  Body body;
};
struct GenerationStatement : StatementOf<StatementKind::kGeneration> {
  using StatementOf::StatementOf;
  Body body;
};
using BreakStatement = StatementOf<StatementKind::kBreak>;
using ContinueStatement = StatementOf<StatementKind::kContinue>;

class Ast {
 public:
  template <class T>
  T* make(int line) {
    auto node = std::make_unique<T>(line);
    T* raw = node.get();
    nodes_.push_back(std::move(node));
    return raw;
  }
  Symbol intern(std::string_view name) {
    const auto [it, added] = symbols_.emplace(std::string(name), static_cast<Symbol>(names_.size()));
    if (added) names_.push_back(it->first);
    return it->second;
  }
  const std::string& name(Symbol symbol) const { return names_[symbol]; }
  size_t symbol_count() const { return names_.size(); }
  // The symbol of a name that occurs in the template.
  std::optional<Symbol> find(std::string_view name) const {
    const auto it = symbols_.find(std::string(name));
    return it == symbols_.end() ? std::nullopt : std::optional(it->second);
  }

  Body root;

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unordered_map<std::string, Symbol> symbols_;
  std::vector<std::string> names_;
};

}  // namespace hearth::jinja
