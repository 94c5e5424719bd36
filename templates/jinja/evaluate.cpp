// The expressions of Interpreter, and calls.
#include <algorithm>

#include "templates/jinja/format.h"
#include "templates/jinja/interpreter.h"

namespace hearth::jinja {

Value Interpreter::evaluate(const Expr& expr, Scope& scope) {
  const RenderState::Level level(state_);
  state_.step();
  line_ = expr.line;
  switch (expr.kind) {
    case ExprKind::kConstant:
      return static_cast<const ConstantExpr&>(expr).value;
    case ExprKind::kName:
      return evaluate_name(static_cast<const NameExpr&>(expr), scope);
    case ExprKind::kSequence:
      return evaluate_sequence(static_cast<const SequenceExpr&>(expr), scope);
    case ExprKind::kDict:
      return evaluate_dict(static_cast<const DictExpr&>(expr), scope);
    case ExprKind::kUnary:
      return evaluate_unary(static_cast<const UnaryExpr&>(expr), scope);
    case ExprKind::kArithmetic:
      return evaluate_arithmetic(static_cast<const ArithmeticExpr&>(expr), scope);
    case ExprKind::kLogical:
      return evaluate_logical(static_cast<const LogicalExpr&>(expr), scope);
    case ExprKind::kCompare:
      return evaluate_compare(static_cast<const CompareExpr&>(expr), scope);
    case ExprKind::kConcat:
      return evaluate_concat(static_cast<const ConcatExpr&>(expr), scope);
    case ExprKind::kConditional:
      return evaluate_conditional(static_cast<const ConditionalExpr&>(expr), scope);
    case ExprKind::kAttribute: {
      const auto& node = static_cast<const AttributeExpr&>(expr);
      const Value object = evaluate(*node.object, scope);
      line_ = expr.line;
      return attribute(state_, object, node.name);
    }
    case ExprKind::kSubscript: {
      const auto& node = static_cast<const SubscriptExpr&>(expr);
      const Value object = evaluate(*node.object, scope), key = evaluate(*node.key, scope);
      line_ = expr.line;
      return subscript(state_, object, key);
    }
    case ExprKind::kSlice:
      return evaluate_slice(static_cast<const SliceExpr&>(expr), scope);
    case ExprKind::kCall:
      return evaluate_call(static_cast<const CallExpr&>(expr), scope);
    case ExprKind::kFilter:
      return evaluate_filter(static_cast<const FilterExpr&>(expr), scope);
    case ExprKind::kTest:
      return evaluate_test(static_cast<const TestExpr&>(expr), scope);
  }
  return Value();
}

Value Interpreter::evaluate_name(const NameExpr& expr, Scope& scope) {
  if (const Value* value = look_up(scope, expr.symbol)) return *value;
  return Value::undefined(fmt::format("'{}' is undefined", ast_.name(expr.symbol)));
}

Value Interpreter::evaluate_sequence(const SequenceExpr& expr, Scope& scope) {
  std::vector<Value> items;
  items.reserve(expr.items.size());
  for (const Expr* item : expr.items) items.push_back(evaluate(*item, scope));
  return state_.list(std::move(items), expr.tuple ? List::Type::kTuple : List::Type::kList);
}

Value Interpreter::evaluate_dict(const DictExpr& expr, Scope& scope) {
  DictBuilder dict(state_);
  for (const auto& [key, value] : expr.items) {
    const Value name = evaluate(*key, scope);
    dict.set(name, evaluate(*value, scope));
  }
  return dict.build();
}

Value Interpreter::evaluate_unary(const UnaryExpr& expr, Scope& scope) {
  const Value operand = evaluate(*expr.operand, scope);
  line_ = expr.line;
  switch (expr.op) {
    case UnaryExpr::Op::kNot:
      return !truthy(operand);
    case UnaryExpr::Op::kMinus:
      return negate(operand);
    case UnaryExpr::Op::kPlus:
      return plus(operand);
  }
  return Value();
}

Value Interpreter::evaluate_arithmetic(const ArithmeticExpr& expr, Scope& scope) {
  const Value left = evaluate(*expr.left, scope), right = evaluate(*expr.right, scope);
  line_ = expr.line;
  return arithmetic(state_, expr.op, left, right);
}

Value Interpreter::evaluate_logical(const LogicalExpr& expr, Scope& scope) {
  Value left = evaluate(*expr.left, scope);
  return truthy(left) == expr.both ? evaluate(*expr.right, scope) : left;
}

Value Interpreter::evaluate_compare(const CompareExpr& expr, Scope& scope) {
  Value left = evaluate(*expr.first, scope);
  for (const auto& [op, operand] : expr.rest) {
    Value right = evaluate(*operand, scope);
    line_ = expr.line;
    if (!compare(state_, op, left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_concat(const ConcatExpr& expr, Scope& scope) {
  StringBuilder out(state_);
  for (const Expr* item : expr.items) append_str(out, evaluate(*item, scope));
  return out.value();
}

Value Interpreter::evaluate_conditional(const ConditionalExpr& expr, Scope& scope) {
  if (truthy(evaluate(*expr.condition, scope))) return evaluate(*expr.then, scope);
  if (expr.otherwise) return evaluate(*expr.otherwise, scope);
  return Value::undefined(fmt::format(
      "the inline if-expression on line {} evaluated to false and no else section was defined.", expr.line));
}

Value Interpreter::evaluate_slice(const SliceExpr& expr, Scope& scope) {
  const Value object = evaluate(*expr.object, scope);
  const auto bound = [&](const Expr* e) { return e ? evaluate(*e, scope) : Value(None{}); };
  const Value start = bound(expr.start), stop = bound(expr.stop), step = bound(expr.step);
  line_ = expr.line;
  return slice(state_, object, start, stop, step);
}

Arguments Interpreter::evaluate_arguments(const CallArguments& arguments, Scope& scope) {
  Arguments out;
  out.positional.reserve(arguments.positional.size());
  for (const Expr* expr : arguments.positional) out.positional.push_back(evaluate(*expr, scope));
  for (const auto& [name, expr] : arguments.keyword) out.keyword.emplace_back(name, evaluate(*expr, scope));
  if (arguments.star) {
    const ListRef items = iterate(state_, evaluate(*arguments.star, scope));
    state_.step(items->items.size());
    out.positional.insert(out.positional.end(), items->items.begin(), items->items.end());
  }
  if (arguments.double_star) {
    const Value more = evaluate(*arguments.double_star, scope);
    if (!more.is(Kind::kDict)) throw fault("argument after ** must be a mapping, not {}", type_name(more));
    for (const auto& [key, value] : more.dict().entries) {
      state_.step();
      if (!key.is(Kind::kString)) throw fault("keywords must be strings");
      out.keyword.emplace_back(key.bytes(), value);
    }
  }
  return out;
}

Value Interpreter::evaluate_call(const CallExpr& expr, Scope& scope, Macro* caller) {
  const auto arguments = [&] {
    Arguments out = evaluate_arguments(expr.arguments, scope);
    if (caller) out.keyword.emplace_back("caller", Value(static_cast<Object*>(caller)));
    line_ = expr.line;
    return out;
  };
  if (expr.callee->kind == ExprKind::kAttribute) {  // object.method(...) without a bound method in between
    const auto& callee = static_cast<const AttributeExpr&>(*expr.callee);
    const Value object = evaluate(*callee.object, scope);
    line_ = expr.line;
    if (const Builtin* method = find_method(object, callee.name)) return invoke(state_, *method, object, arguments());
    const Value function = attribute(state_, object, callee.name);
    return call(function, arguments());
  }
  const Value function = evaluate(*expr.callee, scope);
  return call(function, arguments());
}

Value Interpreter::call(const Value& callee, Arguments arguments) {
  if (callee.is(Kind::kUndefined)) throw Fault(callee.undefined_cause());
  if (auto* function = callee.object_as<Function>())
    return invoke(state_, function->builtin, function->self, arguments);
  if (auto* macro = callee.object_as<Macro>()) return call_macro(*macro, std::move(arguments));
  if (auto* loop = callee.object_as<Loop>()) return call_loop(*loop, arguments);
  if (auto* joiner = callee.object_as<Joiner>()) {
    return std::exchange(joiner->used, true) ? joiner->separator : Value::text("");
  }
  throw fault("'{}' object is not callable", type_name(callee));
}

Value Interpreter::call_loop(const Loop& loop, const Arguments& arguments) {
  if (!loop.statement().recursive) {
    throw fault("The loop must have the 'recursive' marker to be called recursively.");
  }
  if (arguments.positional.size() != 1 || !arguments.keyword.empty()) throw fault("loop() takes one iterable");
  StringBuilder out(state_);
  run_loop(*state_.make<Loop>(*this, loop.statement(), arguments.positional[0], loop.scope(), loop.depth() + 1), out);
  return out.value();
}

Value Interpreter::call_macro(const Macro& macro, Arguments arguments) {
  return in_scope(macro.definition.body.captured, macro.scope, [&](Scope& scope) {
    bind_parameters(macro, arguments, scope);
    StringBuilder out(state_);
    execute(macro.definition.body, scope, out);
    return out.value();
  });
}

void Interpreter::bind_parameters(const Macro& macro, Arguments& arguments, Scope& scope) {
  const MacroDefinition& definition = macro.definition;
  const size_t count = definition.parameters.size();
  const auto take_keyword = [&](std::string_view name) -> std::optional<Value> {
    const auto it = std::find_if(arguments.keyword.begin(), arguments.keyword.end(),
                                 [&](const auto& k) { return k.first == name; });
    if (it == arguments.keyword.end()) return std::nullopt;
    Value value = std::move(it->second);
    arguments.keyword.erase(it);
    return value;
  };
  std::vector<std::optional<Value>> given(count);
  for (size_t i = 0; i < count; ++i) {
    given[i] = i < arguments.positional.size() ? std::optional(arguments.positional[i])
                                               : take_keyword(definition.parameters[i].name);
  }
  if (definition.uses_caller) {
    std::optional<Value> caller = take_keyword("caller");
    store(scope, *caller_, caller && !caller->is(Kind::kNone) ? *caller : Value::undefined("No caller defined"));
  }
  if (definition.uses_kwargs) {
    DictBuilder rest(state_);
    for (const auto& [name, value] : arguments.keyword) rest.set(Value::text(name), value);
    store(scope, *kwargs_, rest.build());
  } else if (!arguments.keyword.empty()) {
    throw fault("macro '{}' takes no keyword argument '{}'", definition.name, arguments.keyword.front().first);
  }
  if (definition.uses_varargs) {
    const size_t skip = std::min(count, arguments.positional.size());
    store(scope, *varargs_,
          state_.tuple({arguments.positional.begin() + static_cast<ptrdiff_t>(skip), arguments.positional.end()}));
  } else if (arguments.positional.size() > count) {
    throw fault("macro '{}' takes not more than {} argument(s)", definition.name, count);
  }
  for (size_t i = 0; i < count; ++i) {
    const jinja::Parameter& parameter = definition.parameters[i];
    if (given[i]) {
      store(scope, parameter.symbol, *given[i]);
    } else if (parameter.otherwise) {
      store(scope, parameter.symbol, evaluate(*parameter.otherwise, scope));
    } else {
      store(scope, parameter.symbol, Value::undefined(fmt::format("parameter '{}' was not provided", parameter.name)));
    }
  }
}

Value Interpreter::evaluate_filter(const FilterExpr& expr, Scope& scope) {
  const Value operand = expr.operand ? evaluate(*expr.operand, scope) : *block_text_;
  if (!expr.builtin) throw fault("No filter named '{}' found.", expr.name);
  const Arguments arguments = evaluate_arguments(expr.arguments, scope);
  line_ = expr.line;
  return invoke(state_, *expr.builtin, operand, arguments);
}

Value Interpreter::evaluate_test(const TestExpr& expr, Scope& scope) {
  const Value operand = evaluate(*expr.operand, scope);
  if (!expr.builtin) throw fault("No test named '{}' found.", expr.name);
  const Arguments arguments = evaluate_arguments(expr.arguments, scope);
  line_ = expr.line;
  return invoke(state_, *expr.builtin, operand, arguments);
}

std::optional<Value> Macro::attribute(RenderState& state, std::string_view name) {
  if (name == "name") return Value::text(definition.name);
  if (name == "catch_kwargs") return Value(definition.uses_kwargs);
  if (name == "catch_varargs") return Value(definition.uses_varargs);
  if (name == "caller") return Value(definition.uses_caller);
  if (name == "arguments") {
    std::vector<Value> names;
    for (const Parameter& parameter : definition.parameters) names.push_back(Value::text(parameter.name));
    return state.tuple(std::move(names));
  }
  return std::nullopt;
}

}  // namespace hearth::jinja
