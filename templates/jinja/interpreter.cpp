#include "templates/jinja/interpreter.h"

#include "templates/jinja/format.h"

namespace hearth::jinja {

Interpreter::Interpreter(const Ast& ast, RenderState& state)
    : ast_(ast),
      state_(state),
      loop_(ast.find("loop")),
      caller_(ast.find("caller")),
      kwargs_(ast.find("kwargs")),
      varargs_(ast.find("varargs")) {
  for (Symbol symbol = 0; symbol < ast.symbol_count(); ++symbol) {
    if (const Builtin* global = find_global(ast.name(symbol))) {
      root_.variables.emplace_back(symbol, state.make<Function>(*global, Value()));
    }
  }
}

void Interpreter::define(std::string_view name, Value value) {
  if (const auto symbol = ast_.find(name)) store(root_, *symbol, std::move(value));
}

void Interpreter::run(StringBuilder& out) {
  root_out_ = &out;
  execute(ast_.root, root_, out);
}

void Interpreter::store(Scope& scope, Symbol symbol, Value value) {
  state_.step(scope.variables.size() / 16);
  for (auto& [name, old] : scope.variables) {
    if (name == symbol) {
      old = std::move(value);
      return;
    }
  }
  state_.allocate(sizeof(Value));
  scope.variables.emplace_back(symbol, std::move(value));
}

const Value* Interpreter::look_up(const Scope& innermost, Symbol symbol) {
  for (const Scope* scope = &innermost; scope; scope = scope->parent) {
    state_.step(scope->variables.size() / 16);
    for (const auto& [name, value] : scope->variables) {
      if (name == symbol) return &value;
    }
  }
  return nullptr;
}

Interpreter::Flow Interpreter::execute(const Body& body, Scope& scope, StringBuilder& out) {
  for (const Statement* statement : body.statements) {
    const Flow flow = execute(*statement, scope, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute_inner(const Body& body, Scope& outer, StringBuilder& out) {
  return in_scope(body.captured, outer, [&](Scope& scope) { return execute(body, scope, out); });
}

Interpreter::Flow Interpreter::execute(const Statement& statement, Scope& scope, StringBuilder& out) {
  const RenderState::Level level(state_);
  state_.step();
  line_ = statement.line;
  switch (statement.kind) {
    case StatementKind::kOutput:
      execute_output(static_cast<const OutputStatement&>(statement), scope, out);
      break;
    case StatementKind::kFor:
      execute_for(static_cast<const ForStatement&>(statement), scope, out);
      break;
    case StatementKind::kIf:
      return execute_if(static_cast<const IfStatement&>(statement), scope, out);
    case StatementKind::kSet: {
      const auto& set = static_cast<const SetStatement&>(statement);
      assign(*set.target, scope, evaluate(*set.value, scope));
      break;
    }
    case StatementKind::kSetBlock:
      execute_set_block(static_cast<const SetBlockStatement&>(statement), scope);
      break;
    case StatementKind::kMacro: {
      const auto& macro = static_cast<const MacroStatement&>(statement);
      store(scope, macro.symbol, state_.make<Macro>(macro.definition, scope));
      break;
    }
    case StatementKind::kCallBlock:
      execute_call_block(static_cast<const CallBlockStatement&>(statement), scope, out);
      break;
    case StatementKind::kFilterBlock:
      execute_filter_block(static_cast<const FilterBlockStatement&>(statement), scope, out);
      break;
    case StatementKind::kWith:
      execute_with(static_cast<const WithStatement&>(statement), scope, out);
      break;
    case StatementKind::kScope:
      return execute_inner(static_cast<const ScopeStatement&>(statement).body, scope, out);
    case StatementKind::kGeneration:
      execute_generation(static_cast<const GenerationStatement&>(statement), scope, out);
      break;
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

void Interpreter::execute_output(const OutputStatement& statement, Scope& scope, StringBuilder& out) {
  for (const Expr* item : statement.items) {
    if (item->kind == ExprKind::kConstant) {
      state_.step();
      append_str(out, static_cast<const ConstantExpr*>(item)->value);
    } else {
      append_str(out, evaluate(*item, scope));
    }
    if (out.size() > state_.limits().output_bytes) {
      throw fault("the output exceeds {} bytes", state_.limits().output_bytes);
    }
  }
}

Interpreter::Flow Interpreter::execute_if(const IfStatement& statement, Scope& scope, StringBuilder& out) {
  for (const IfStatement::Branch& branch : statement.branches) {
    if (!branch.condition || truthy(evaluate(*branch.condition, scope))) return execute(branch.body, scope, out);
  }
  return Flow::kNext;
}

void Interpreter::execute_for(const ForStatement& statement, Scope& scope, StringBuilder& out) {
  const Value iterable = evaluate(*statement.iterable, scope);
  line_ = statement.line;
  if (statement.uses_loop) return run_loop(*state_.make<Loop>(*this, statement, iterable, scope, 0), out);
  Loop loop(*this, statement, iterable, scope, 0);
  run_loop(loop, out);
}

void Interpreter::run_loop(Loop& loop, StringBuilder& out) {
  const ForStatement& statement = loop.statement();
  bool completed = false;  // some iteration reached the end of the body: Jinja's condition for skipping else
  Scope reused(&loop.scope());
  while (loop.advance()) {
    Scope* scope = statement.body.captured ? state_.make<Scope>(&loop.scope()) : &reused;
    scope->variables.clear();
    assign(*statement.target, *scope, loop.current());
    if (statement.uses_loop && loop_) store(*scope, *loop_, Value(static_cast<Object*>(&loop)));
    const Flow flow = execute(statement.body, *scope, out);
    if (flow == Flow::kBreak) break;
    completed = completed || flow == Flow::kNext;
  }
  loop.finish();
  if (!completed) execute_inner(statement.otherwise, loop.scope(), out);
}

bool Interpreter::passes(const ForStatement& statement, const Value& item, Scope& outer) {
  Scope scope(&outer);
  assign(*statement.target, scope, item);
  return truthy(evaluate(*statement.test, scope));
}

void Interpreter::execute_with(const WithStatement& statement, Scope& outer, StringBuilder& out) {
  in_scope(statement.body.captured, outer, [&](Scope& scope) {
    for (const auto& [target, value] : statement.bindings) assign(*target, scope, evaluate(*value, outer));
    execute(statement.body, scope, out);
  });
}

void Interpreter::execute_set_block(const SetBlockStatement& statement, Scope& outer) {
  in_scope(statement.body.captured, outer, [&](Scope& scope) {
    StringBuilder text(state_);
    execute(statement.body, scope, text);
    Value value = text.value();
    if (statement.filter) {
      const Value block = value;
      block_text_ = &block;
      value = evaluate(*statement.filter, scope);
    }
    assign(*statement.target, outer, value);
  });
}

void Interpreter::execute_filter_block(const FilterBlockStatement& statement, Scope& outer, StringBuilder& out) {
  in_scope(statement.body.captured, outer, [&](Scope& scope) {
    StringBuilder text(state_);
    execute(statement.body, scope, text);
    const Value block = text.value();
    block_text_ = &block;
    append_str(out, evaluate(*statement.filter, scope));
  });
}

void Interpreter::execute_call_block(const CallBlockStatement& statement, Scope& scope, StringBuilder& out) {
  Macro* caller = state_.make<Macro>(statement.caller, scope);
  append_str(out, evaluate_call(*statement.call, scope, caller));
}

void Interpreter::execute_generation(const GenerationStatement& statement, Scope& scope, StringBuilder& out) {
  const size_t begin = out.size();
  execute_inner(statement.body, scope, out);
  if (&out == root_out_ && out.size() > begin) generated_.push_back({begin, out.size()});
}

void Interpreter::assign(const Target& target, Scope& scope, const Value& value) {
  switch (target.type) {
    case Target::Type::kName:
      return store(scope, target.symbol, value);
    case Target::Type::kAttribute: {
      const Value* object = look_up(scope, target.symbol);
      auto* space = object ? object->object_as<Namespace>() : nullptr;
      if (!space) throw fault("cannot assign attribute on non-namespace object");
      return space->set(state_, target.attribute, value);
    }
    case Target::Type::kTuple:
      break;
  }
  const RenderState::Level level(state_);
  if (!is_iterable(value)) throw fault("cannot unpack non-iterable {} object", type_name(value));
  const ListRef items = iterate(state_, value);
  const size_t expected = target.items.size(), got = items->items.size();
  if (got > expected) throw fault("too many values to unpack (expected {})", expected);
  if (got < expected) throw fault("not enough values to unpack (expected {}, got {})", expected, got);
  for (size_t i = 0; i < expected; ++i) assign(*target.items[i], scope, items->items[i]);
}

}  // namespace hearth::jinja
