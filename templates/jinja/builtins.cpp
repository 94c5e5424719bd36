#include "templates/jinja/builtins.h"

#include <algorithm>

#include "templates/jinja/operators.h"

namespace hearth::jinja {

Parameters::Parameters(const Builtin& builtin, const Arguments& arguments) : builtin_(builtin), arguments_(arguments) {
  if (builtin.variadic) {
    for (const Value& value : arguments.positional) bound_.push_back(&value);
    return;
  }
  bound_.resize(builtin.parameters.size(), nullptr);
  if (arguments.positional.size() > bound_.size()) {
    throw fault("{}() takes at most {} argument(s), {} given", builtin.name, bound_.size(),
                arguments.positional.size());
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) bound_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.keyword) {
    const auto it = std::find(builtin.parameters.begin(), builtin.parameters.end(), name);
    if (it == builtin.parameters.end()) {
      throw fault("{}() got an unexpected keyword argument '{}'", builtin.name, name);
    }
    const Value*& slot = bound_[static_cast<size_t>(it - builtin.parameters.begin())];
    if (slot) throw fault("{}() got multiple values for argument '{}'", builtin.name, name);
    slot = &value;
  }
  for (size_t i = 0; i < builtin.required; ++i) {
    if (!bound_[i]) throw fault("{}() is missing the argument '{}'", builtin.name, builtin.parameters[i]);
  }
}

bool Parameters::truth(size_t i, bool otherwise) const { return get(i) ? truthy(*get(i)) : otherwise; }

int64_t Parameters::integer(size_t i, int64_t otherwise) const {
  const Value* value = get(i);
  return !value || value->is(Kind::kNone) ? otherwise
                                          : to_index(*value, builtin_.name + "(): " + builtin_.parameters[i]);
}

const Value* Parameters::string(size_t i) const {
  const Value* value = get(i);
  if (!value || value->is(Kind::kNone)) return nullptr;
  if (value->is(Kind::kUndefined)) throw Fault(value->undefined_cause());
  if (!value->is(Kind::kString)) throw fault("{}(): argument must be str, not {}", builtin_.name, type_name(*value));
  return value;
}

const Value& Parameters::text(size_t i) const {
  const Value* value = string(i);
  if (!value) throw fault("{}(): argument must be str, not NoneType", builtin_.name);
  return *value;
}

BuiltinTable::BuiltinTable(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    Builtin builtin;
    builtin.name = row.name;
    builtin.call = row.call;
    const std::string_view spec = row.parameters;
    builtin.variadic = spec == "*";
    for (size_t begin = 0; begin < spec.size() && !builtin.variadic;) {
      const size_t end = std::min(spec.find(',', begin), spec.size());
      std::string_view parameter = spec.substr(begin, end - begin);
      if (parameter.back() == '?') {
        parameter.remove_suffix(1);
      } else {
        builtin.required = builtin.parameters.size() + 1;
      }
      builtin.parameters.emplace_back(parameter);
      begin = end + 1;
    }
    rows_.emplace(row.name, std::move(builtin));
  }
}

const Builtin* BuiltinTable::find(std::string_view name) const {
  const auto it = rows_.find(name);
  return it == rows_.end() ? nullptr : &it->second;
}

Value invoke(RenderState& state, const Builtin& builtin, const Value& self, const Arguments& arguments) {
  state.step();
  return builtin.call(state, self, Parameters(builtin, arguments));
}

const Builtin* find_filter(std::string_view name) {
  const Builtin* found = text_filters().find(name);
  return found ? found : sequence_filters().find(name);
}

}  // namespace hearth::jinja
