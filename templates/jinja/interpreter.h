// Runs an Ast. Scopes are Jinja's: loops, macros, blocks and `with` open one, `if` does not, and an assignment never
// leaves its scope.
#pragma once

#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "templates/jinja/ast.h"
#include "templates/jinja/render_state.h"

namespace hearth::jinja {

struct Scope {
  explicit Scope(Scope* outer) : parent(outer) {}
  Scope* parent;
  std::vector<std::pair<Symbol, Value>> variables;
};

class Interpreter;

struct Macro : Object {
  static constexpr Type kType = Type::kMacro;
  Macro(const MacroDefinition& macro, Scope& outer) : Object(kType), definition(macro), scope(outer) {}
  std::optional<Value> attribute(RenderState& state, std::string_view name) override;
  const MacroDefinition& definition;
  Scope& scope;  // where it was defined; lives as long as the rendering
};

// A running for statement, and what the template sees of it as `loop`.
class Loop : public Object {
 public:
  static constexpr Type kType = Type::kLoop;
  Loop(Interpreter& interpreter, const ForStatement& statement, const Value& iterable, Scope& scope, int depth);

  std::optional<Value> attribute(RenderState& state, std::string_view name) override;
  // The next item, when there is one.
  bool advance();
  const Value& current() const { return current_; }
  // Drops what is left: the scope that a test of the items needs is about to end.
  void finish();
  Value cycle(const std::vector<Value>& items) const;
  bool changed(RenderState& state, const std::vector<Value>& values);
  const ForStatement& statement() const { return statement_; }
  Scope& scope() const { return scope_; }
  int depth() const { return depth_; }

 private:
  std::optional<Value> pull();  // from the source, past what the loop's test rejects
  const Value* peek();
  size_t length();

  Interpreter& interpreter_;
  const ForStatement& statement_;
  Scope& scope_;
  const int depth_;
  ListRef items_;
  size_t next_ = 0;
  Generator* generator_ = nullptr;
  std::deque<Value> pending_;  // pulled ahead of the body
  int64_t index_ = -1;
  Value before_, current_;
  std::optional<Value> last_changed_;
};

class Interpreter {
 public:
  Interpreter(const Ast& ast, RenderState& state);

  // Before run(); names that the template does not mention are ignored.
  void define(std::string_view name, Value value);
  bool mentions(std::string_view name) const { return ast_.find(name).has_value(); }
  void run(StringBuilder& out);

  // Of the statement or expression that ran last, for errors.
  int line() const { return line_; }
  // What {% generation %} blocks wrote, in bytes of the output.
  const std::vector<ByteRange>& generated() const { return generated_; }
  RenderState& state() { return state_; }

  // For Loop.
  bool passes(const ForStatement& statement, const Value& item, Scope& scope);

 private:
  enum class Flow { kNext, kBreak, kContinue };

  // Statements (interpreter.cpp).
  Flow execute(const Body& body, Scope& scope, StringBuilder& out);
  Flow execute(const Statement& statement, Scope& scope, StringBuilder& out);
  Flow execute_if(const IfStatement& statement, Scope& scope, StringBuilder& out);
  Flow execute_inner(const Body& body, Scope& scope, StringBuilder& out);
  void execute_output(const OutputStatement& statement, Scope& scope, StringBuilder& out);
  void execute_for(const ForStatement& statement, Scope& scope, StringBuilder& out);
  void execute_with(const WithStatement& statement, Scope& scope, StringBuilder& out);
  void execute_set_block(const SetBlockStatement& statement, Scope& scope);
  void execute_filter_block(const FilterBlockStatement& statement, Scope& scope, StringBuilder& out);
  void execute_call_block(const CallBlockStatement& statement, Scope& scope, StringBuilder& out);
  void execute_generation(const GenerationStatement& statement, Scope& scope, StringBuilder& out);
  void run_loop(Loop& loop, StringBuilder& out);
  void assign(const Target& target, Scope& scope, const Value& value);
  void store(Scope& scope, Symbol symbol, Value value);
  const Value* look_up(const Scope& scope, Symbol symbol);

  // A new scope inside another, for the time of `fn`; longer when something captures it.
  template <class Fn>
  auto in_scope(bool captured, Scope& outer, Fn&& fn) {
    if (captured) return fn(*state_.make<Scope>(&outer));
    Scope scope(&outer);
    return fn(scope);
  }

  // Expressions (evaluate.cpp).
  Value evaluate(const Expr& expr, Scope& scope);
  Value evaluate_name(const NameExpr& expr, Scope& scope);
  Value evaluate_sequence(const SequenceExpr& expr, Scope& scope);
  Value evaluate_dict(const DictExpr& expr, Scope& scope);
  Value evaluate_unary(const UnaryExpr& expr, Scope& scope);
  Value evaluate_arithmetic(const ArithmeticExpr& expr, Scope& scope);
  Value evaluate_logical(const LogicalExpr& expr, Scope& scope);
  Value evaluate_compare(const CompareExpr& expr, Scope& scope);
  Value evaluate_concat(const ConcatExpr& expr, Scope& scope);
  Value evaluate_conditional(const ConditionalExpr& expr, Scope& scope);
  Value evaluate_slice(const SliceExpr& expr, Scope& scope);
  Value evaluate_call(const CallExpr& expr, Scope& scope, Macro* caller = nullptr);
  Value evaluate_filter(const FilterExpr& expr, Scope& scope);
  Value evaluate_test(const TestExpr& expr, Scope& scope);
  Arguments evaluate_arguments(const CallArguments& arguments, Scope& scope);
  Value call(const Value& callee, Arguments arguments);
  Value call_macro(const Macro& macro, Arguments arguments);
  void bind_parameters(const Macro& macro, Arguments& arguments, Scope& scope);
  Value call_loop(const Loop& loop, const Arguments& arguments);

  const Ast& ast_;
  RenderState& state_;
  Scope root_{nullptr};
  const StringBuilder* root_out_ = nullptr;
  const Value* block_text_ = nullptr;  // what a filter or set block's filters apply to
  int line_ = 1;
  std::vector<ByteRange> generated_;
  std::optional<Symbol> loop_, caller_, kwargs_, varargs_;
};

}  // namespace hearth::jinja
