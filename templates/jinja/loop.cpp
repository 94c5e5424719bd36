// `loop`: Jinja's LoopContext. It pulls items one by one, since a test or a generator may depend on what the body did
// before.
#include "templates/jinja/interpreter.h"

namespace hearth::jinja {

Loop::Loop(Interpreter& interpreter, const ForStatement& statement, const Value& iterable, Scope& scope, int depth)
    : Object(kType), interpreter_(interpreter), statement_(statement), scope_(scope), depth_(depth) {
  generator_ = iterable.object_as<Generator>();
  if (!generator_) items_ = iterate(interpreter.state(), iterable);
}

std::optional<Value> Loop::pull() {
  const auto next = [&]() -> std::optional<Value> {
    const ListRef& items = generator_ ? generator_->items : items_;
    size_t& position = generator_ ? generator_->next : next_;
    if (!items || position >= items->items.size()) return std::nullopt;
    interpreter_.state().step();
    return items->items[position++];
  };
  std::optional<Value> item = next();
  while (item && statement_.test && !interpreter_.passes(statement_, *item, scope_)) item = next();
  return item;
}

const Value* Loop::peek() {
  if (pending_.empty()) {
    std::optional<Value> item = pull();
    if (!item) return nullptr;
    pending_.push_back(*std::move(item));
  }
  return &pending_.front();
}

size_t Loop::length() {
  const auto passed = static_cast<size_t>(index_ + 1);
  if (!generator_ && !statement_.test) return passed + pending_.size() + (items_ ? items_->items.size() - next_ : 0);
  while (std::optional<Value> item = pull()) pending_.push_back(*std::move(item));
  return passed + pending_.size();
}

bool Loop::advance() {
  const Value* next = peek();
  if (!next) return false;
  before_ = std::exchange(current_, *next);
  pending_.pop_front();
  ++index_;
  return true;
}

void Loop::finish() {
  items_ = nullptr;
  generator_ = nullptr;
}

Value Loop::cycle(const std::vector<Value>& items) const {
  if (items.empty()) throw fault("no items for cycling given");
  return items[static_cast<size_t>(index_) % items.size()];
}

bool Loop::changed(RenderState& state, const std::vector<Value>& values) {
  const Value now = state.tuple(values);
  if (last_changed_ && equals(state, *last_changed_, now)) return false;
  last_changed_ = now;
  return true;
}

std::optional<Value> Loop::attribute(RenderState& state, std::string_view name) {
  static const BuiltinTable kMethods{
      {"cycle", "*",
       [](RenderState&, const Value& self, const Parameters& p) {
         return self.object_as<Loop>()->cycle(p.all().positional);
       }},
      {"changed", "*",
       [](RenderState& s, const Value& self, const Parameters& p) {
         return Value(self.object_as<Loop>()->changed(s, p.all().positional));
       }},
  };
  if (name == "index") return Value(Int{index_ + 1});
  if (name == "index0") return Value(Int{index_});
  if (name == "first") return Value(index_ == 0);
  if (name == "last") return Value(peek() == nullptr);
  if (name == "length") return Value(length());
  if (name == "revindex") return Value(static_cast<Int>(length()) - index_);
  if (name == "revindex0") return Value(static_cast<Int>(length()) - index_ - 1);
  if (name == "depth") return Value(depth_ + 1);
  if (name == "depth0") return Value(depth_);
  if (name == "previtem") return index_ == 0 ? Value::undefined("there is no previous item") : before_;
  if (name == "nextitem") {
    const Value* next = peek();
    return next ? *next : Value::undefined("there is no next item");
  }
  if (const Builtin* method = kMethods.find(name))
    return state.make<Function>(*method, Value(static_cast<Object*>(this)));
  return std::nullopt;
}

}  // namespace hearth::jinja
