// Numbers as Python computes them: floor division and modulo round towards minus infinity, true division and negative
// powers make floats.
#include <cmath>
#include <limits>

#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"

namespace hearth::jinja {
namespace {

constexpr Int kIntMax = static_cast<Int>(~static_cast<unsigned __int128>(0) >> 1);
constexpr Int kIntMin = -kIntMax - 1;

[[noreturn]] void overflow() { throw fault("an integer exceeds 128 bits"); }

Int add(Int a, Int b) {
  Int sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) overflow();
  return sum;
}

Int subtract(Int a, Int b) {
  Int difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) overflow();
  return difference;
}

// In unsigned arithmetic: the checked 128-bit product of the compilers needs a library function that not all of them
// have.
Int multiply(Int a, Int b) {
  using Unsigned = unsigned __int128;
  if (a == 0 || b == 0) return 0;
  if (a == kIntMin || b == kIntMin) {
    if (a == 1 || b == 1) return kIntMin;
    overflow();
  }
  const Unsigned x = static_cast<Unsigned>(a < 0 ? -a : a), y = static_cast<Unsigned>(b < 0 ? -b : b);
  if (x > static_cast<Unsigned>(kIntMax) / y) overflow();
  const Int product = static_cast<Int>(x * y);
  return (a < 0) == (b < 0) ? product : -product;
}

Int floor_divide(Int a, Int b) {
  if (b == 0) throw fault("integer division or modulo by zero");
  if (b == -1) return subtract(0, a);
  const Int quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Int modulo(Int a, Int b) {
  if (b == 0) throw fault("integer modulo by zero");
  if (b == -1) return 0;
  const Int remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double float_modulo(double a, double b) {
  if (b == 0) throw fault("float modulo");
  const double remainder = std::fmod(a, b);
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double float_floor_divide(double a, double b) {
  if (b == 0) throw fault("float floor division by zero");
  const double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (remainder < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Value power(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral() && b.integer() >= 0) {
    Int base = a.integer(), result = 1;
    for (Int exponent = b.integer(); exponent > 0; exponent >>= 1) {
      if (base == 0 || base == 1) return multiply(result, base);
      if (base == -1) return (exponent & 1) != 0 ? multiply(result, -1) : result;
      if ((exponent & 1) != 0) result = multiply(result, base);
      if (exponent > 1) base = multiply(base, base);
    }
    return result;
  }
  const double x = a.number(), y = b.number();
  if (x == 0 && y < 0) throw fault("0.0 cannot be raised to a negative power");
  if (x < 0 && std::isfinite(x) && std::isfinite(y) && y != std::floor(y)) throw fault("a power is a complex number");
  const double result = std::pow(x, y);
  if (std::isinf(result) && std::isfinite(x) && std::isfinite(y)) throw fault("(34, 'Numerical result out of range')");
  return result;
}

Value numbers(Arithmetic op, const Value& a, const Value& b) {
  if (op == Arithmetic::kPower) return power(a, b);
  if (op == Arithmetic::kDivide) {
    if (b.number() == 0) {
      throw fault("{}", a.is_integral() && b.is_integral() ? "division by zero" : "float division by zero");
    }
    return a.number() / b.number();
  }
  if (a.is_integral() && b.is_integral()) {
    const Int x = a.integer(), y = b.integer();
    switch (op) {
      case Arithmetic::kAdd:
        return add(x, y);
      case Arithmetic::kSubtract:
        return subtract(x, y);
      case Arithmetic::kMultiply:
        return multiply(x, y);
      case Arithmetic::kFloorDivide:
        return floor_divide(x, y);
      default:
        return modulo(x, y);
    }
  }
  const double x = a.number(), y = b.number();
  switch (op) {
    case Arithmetic::kAdd:
      return x + y;
    case Arithmetic::kSubtract:
      return x - y;
    case Arithmetic::kMultiply:
      return x * y;
    case Arithmetic::kFloorDivide:
      return float_floor_divide(x, y);
    default:
      return float_modulo(x, y);
  }
}

Value repeat(RenderState& state, const Value& sequence, Int times) {
  const size_t count = times < 0 ? 0 : static_cast<size_t>(std::min<Int>(times, std::numeric_limits<int64_t>::max()));
  if (sequence.is(Kind::kString)) {
    const String& string = sequence.string();
    StringBuilder out(state);
    if (string.literal.empty()) {
      out.repeat(string.bytes, count, false);
    } else {
      if (count > state.bytes_left() / string.bytes.size())
        throw fault("a string of {} times {} bytes is too long", count, string.bytes.size());
      for (size_t i = 0; i < count; ++i) out.append(string);
    }
    return out.value(string.markup);
  }
  const std::vector<Value>& items = sequence.list().items;
  if (!items.empty() && count > state.bytes_left() / sizeof(Value) / items.size()) {
    throw fault("a list of {} times {} elements is too long", count, items.size());
  }
  std::vector<Value> out;
  for (size_t i = 0; !items.empty() && i < count; ++i) out.insert(out.end(), items.begin(), items.end());
  return state.list(std::move(out), sequence.list().type);
}

bool is_plain_tuple(const List& list) { return list.type != List::Type::kList; }

std::optional<Value> sequences(RenderState& state, Arithmetic op, const Value& a, const Value& b) {
  if (op == Arithmetic::kAdd && a.is(Kind::kString) && b.is(Kind::kString)) {
    StringBuilder out(state);
    const bool markup = a.string().markup || b.string().markup;
    markup ? append_html(out, a) : out.append(a.string());
    markup ? append_html(out, b) : out.append(b.string());
    return out.value(markup);
  }
  if (op == Arithmetic::kAdd && a.is(Kind::kList) && b.is(Kind::kList) &&
      is_plain_tuple(a.list()) == is_plain_tuple(b.list())) {
    std::vector<Value> items = a.list().items;
    items.insert(items.end(), b.list().items.begin(), b.list().items.end());
    return state.list(std::move(items), is_plain_tuple(a.list()) ? List::Type::kTuple : List::Type::kList);
  }
  if (op == Arithmetic::kModulo && a.is(Kind::kString)) return percent_format(state, a.string(), b);
  if (op == Arithmetic::kMultiply) {
    if ((a.is(Kind::kString) || a.is(Kind::kList)) && b.is_integral()) return repeat(state, a, b.integer());
    if ((b.is(Kind::kString) || b.is(Kind::kList)) && a.is_integral()) return repeat(state, b, a.integer());
  }
  return std::nullopt;
}

std::string_view symbol(Arithmetic op) {
  switch (op) {
    case Arithmetic::kAdd:
      return "+";
    case Arithmetic::kSubtract:
      return "-";
    case Arithmetic::kMultiply:
      return "*";
    case Arithmetic::kDivide:
      return "/";
    case Arithmetic::kFloorDivide:
      return "//";
    case Arithmetic::kModulo:
      return "%";
    case Arithmetic::kPower:
      return "** or pow()";
  }
  return "";
}

}  // namespace

Value arithmetic(RenderState& state, Arithmetic op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return numbers(op, a, b);
  if (std::optional<Value> result = sequences(state, op, a, b)) return *std::move(result);
  if (a.is(Kind::kUndefined)) throw Fault(a.undefined_cause());
  if (b.is(Kind::kUndefined)) throw Fault(b.undefined_cause());
  if (op == Arithmetic::kAdd && a.is(Kind::kString)) {
    throw fault("can only concatenate str (not \"{}\") to str", type_name(b));
  }
  if (op == Arithmetic::kAdd && a.is(Kind::kList)) {
    throw fault("can only concatenate {0} (not \"{1}\") to {0}", type_name(a), type_name(b));
  }
  throw fault("unsupported operand type(s) for {}: '{}' and '{}'", symbol(op), type_name(a), type_name(b));
}

Value negate(const Value& value) {
  if (value.is(Kind::kUndefined)) throw Fault(value.undefined_cause());
  if (value.is(Kind::kFloat)) return -value.floating();
  if (!value.is_number()) throw fault("bad operand type for unary -: '{}'", type_name(value));
  return subtract(0, value.integer());
}

Value plus(const Value& value) {
  if (value.is(Kind::kUndefined)) throw Fault(value.undefined_cause());
  if (!value.is_number()) throw fault("bad operand type for unary +: '{}'", type_name(value));
  return value.is(Kind::kBool) ? Value(value.integer()) : value;
}

}  // namespace hearth::jinja
