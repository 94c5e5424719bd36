#include "runtime/io/pickle.h"

#include <cstring>
#include <limits>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

using Kind = Pickle::Kind;
using Ref = Pickle::Ref;
using Value = Pickle::Value;

// About 20 values and 200 bytes describe a tensor: room for a hundred thousand.
constexpr size_t kLargestPickle = size_t{32} << 20;
constexpr size_t kMostValues = size_t{1} << 21;
constexpr size_t kDeepestStack = size_t{1} << 16;  // writers empty it every 1000 items
constexpr uint8_t kLastProtocol = 5;
constexpr Ref kNothing = std::numeric_limits<Ref>::max();

class PickleReader {
 public:
  PickleReader(std::span<const std::byte> bytes, const std::string& place, Pickle::IsAllowed is_allowed,
               std::vector<Value>& values)
      : bytes_(bytes), place_(place), is_allowed_(is_allowed), values_(values) {
    if (bytes.size() > kLargestPickle)
      throw data_corruption("{}: has {} bytes, at most {} are read", place, bytes.size(), kLargestPickle);
  }

  Ref read() {
    while (true) {
      opcode_at_ = at_;
      const uint8_t opcode = get<uint8_t>();
      if (opcode == '.') break;
      if (!read_scalar(opcode) && !read_container(opcode) && !read_memo(opcode) && !read_object(opcode))
        refuse("the opcode 0x{:02x}, which torch.save does not write", opcode);
    }
    const Ref root = pop();
    if (!stack_.empty()) refuse("more than one value");
    return root;
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw data_corruption("{}: has {} at byte {}", place_, fmt::format(format, std::forward<Args>(args)...),
                          opcode_at_);
  }

  std::span<const std::byte> take(uint64_t n) {
    if (n > bytes_.size() - at_) refuse("no end: it is cut short or claims too much");
    at_ += n;
    return bytes_.subspan(at_ - n, n);
  }
  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view take_text(uint64_t n) {
    const std::span<const std::byte> text = take(n);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }
  std::string_view take_line() {
    const std::span<const std::byte> rest = bytes_.subspan(at_);
    const std::string_view text(reinterpret_cast<const char*>(rest.data()), rest.size());
    const size_t length = text.find('\n');
    if (length == std::string_view::npos) refuse("no end: it is cut short inside a name");
    at_ += length + 1;
    return text.substr(0, length);
  }

  void push(Ref ref) {
    if (stack_.size() == kDeepestStack) refuse("more than {} values on its stack", kDeepestStack);
    stack_.push_back(ref);
  }
  Value& push_new(Kind kind) {
    if (values_.size() == kMostValues) refuse("more than {} values", kMostValues);
    push(static_cast<Ref>(values_.size()));
    Value& value = values_.emplace_back();
    value.kind = kind;
    return value;
  }
  void push_integer(int64_t number) { push_new(Kind::kInteger).number = number; }
  void push_text(std::string_view text) { push_new(Kind::kText).text = text; }
  void push_tuple(std::vector<Ref> items) { push_new(Kind::kTuple).items = std::move(items); }

  size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }
  Ref top() const {
    if (stack_.size() == bottom()) refuse("an opcode that takes from an empty stack");
    return stack_.back();
  }
  Ref pop() {
    const Ref ref = top();
    stack_.pop_back();
    return ref;
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) refuse("an opcode that looks for a mark where none is");
    std::vector<Ref> items(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  std::vector<Ref> pop_many(size_t n) {
    if (stack_.size() - bottom() < n) refuse("an opcode that takes from an empty stack");
    std::vector<Ref> items(stack_.end() - static_cast<ptrdiff_t>(n), stack_.end());
    stack_.resize(stack_.size() - n);
    return items;
  }

  bool read_scalar(uint8_t opcode) {
    switch (opcode) {
      case 'N':   // NONE
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push_new(Kind::kOther);
        return true;
      case 'G':  // BINFLOAT
        take(sizeof(double));
        push_new(Kind::kOther);
        return true;
      case 'J':  // BININT
        push_integer(get<int32_t>());
        return true;
      case 'K':  // BININT1
        push_integer(get<uint8_t>());
        return true;
      case 'M':  // BININT2
        push_integer(get<uint16_t>());
        return true;
      case 0x8a:  // LONG1
        read_long(take(get<uint8_t>()));
        return true;
      case 'U':   // SHORT_BINSTRING
      case 0x8c:  // SHORT_BINUNICODE
        push_text(take_text(get<uint8_t>()));
        return true;
      case 'T':  // BINSTRING
      case 'X':  // BINUNICODE
        push_text(take_text(get<uint32_t>()));
        return true;
      case 0x8d:  // BINUNICODE8
        push_text(take_text(get<uint64_t>()));
        return true;
      case 'C':  // SHORT_BINBYTES
        take(get<uint8_t>());
        push_new(Kind::kOther);
        return true;
      case 'B':  // BINBYTES
        take(get<uint32_t>());
        push_new(Kind::kOther);
        return true;
      default:
        return false;
    }
  }

  // Two's complement, the lowest byte first.
  void read_long(std::span<const std::byte> digits) {
    if (digits.size() > sizeof(int64_t)) {
      push_new(Kind::kOther);
      return;
    }
    uint64_t number = !digits.empty() && (digits.back() & std::byte{0x80}) != std::byte{0} ? ~uint64_t{0} : 0;
    std::memcpy(&number, digits.data(), digits.size());
    push_integer(static_cast<int64_t>(number));
  }

  bool read_container(uint8_t opcode) {
    switch (opcode) {
      case '(':  // MARK
        if (marks_.size() == kDeepestStack) refuse("more than {} marks on its stack", kDeepestStack);
        marks_.push_back(stack_.size());
        return true;
      case ')':  // EMPTY_TUPLE
        push_tuple({});
        return true;
      case 't':  // TUPLE
        push_tuple(pop_to_mark());
        return true;
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        push_tuple(pop_many(opcode - 0x84));
        return true;
      case ']':  // EMPTY_LIST
        push_new(Kind::kOther);
        return true;
      case 'a':  // APPEND
        pop();
        append_to(top());
        return true;
      case 'e':  // APPENDS
        pop_to_mark();
        append_to(top());
        return true;
      case '}':  // EMPTY_DICT
        push_new(Kind::kDict);
        return true;
      case 's':  // SETITEM
        set_items(pop_many(2));
        return true;
      case 'u':  // SETITEMS
        set_items(pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  void append_to(Ref list) const {
    if (values_[list].kind != Kind::kOther) refuse("items for what is no list");
  }
  void set_items(const std::vector<Ref>& items) {
    Value& dict = values_[top()];
    if (dict.kind != Kind::kDict && !makes_empty(dict)) refuse("keys for what is no dict");
    if (items.size() % 2 != 0) refuse("a key without a value");
    dict.items.insert(dict.items.end(), items.begin(), items.end());
  }
  // OrderedDict() and the like.
  bool makes_empty(const Value& value) const {
    return value.kind == Kind::kCall && values_[value.argument].items.empty();
  }

  bool read_memo(uint8_t opcode) {
    switch (opcode) {
      case 'q':  // BINPUT
        put(get<uint8_t>());
        return true;
      case 'r':  // LONG_BINPUT
        put(get<uint32_t>());
        return true;
      case 0x94:  // MEMOIZE
        put(memo_.size());
        return true;
      case 'h':  // BINGET
        push(remembered(get<uint8_t>()));
        return true;
      case 'j':  // LONG_BINGET
        push(remembered(get<uint32_t>()));
        return true;
      default:
        return false;
    }
  }
  void put(size_t number) {
    if (number >= kMostValues) refuse("a memo of more than {} values", kMostValues);
    if (number >= memo_.size()) memo_.resize(number + 1, kNothing);
    memo_[number] = top();
  }
  Ref remembered(size_t number) const {
    if (number >= memo_.size() || memo_[number] == kNothing) refuse("a value that was not remembered ({})", number);
    return memo_[number];
  }

  bool read_object(uint8_t opcode) {
    switch (opcode) {
      case 0x80: {  // PROTO
        const uint8_t protocol = get<uint8_t>();
        if (protocol > kLastProtocol) refuse("the protocol {}, {} is the last one known", protocol, kLastProtocol);
        return true;
      }
      case 0x95:  // FRAME
        if (get<uint64_t>() > bytes_.size() - at_) refuse("no end: it is cut short or claims too much");
        return true;
      case 'c':    // GLOBAL
      case 'i': {  // INST, a call with what follows the mark
        const std::string_view module = take_line(), name = take_line();
        push_global(module, name);
        if (opcode == 'i') refuse("the opcode INST, which torch.save does not write");
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const Value& name = values_[pop()];
        const Value& module = values_[pop()];
        if (name.kind != Kind::kText || module.kind != Kind::kText) refuse("a global without a name");
        push_global(module.text, name.text);
        return true;
      }
      case 'R': {  // REDUCE
        const Ref argument = pop(), function = pop();
        if (values_[function].kind != Kind::kGlobal || values_[argument].kind != Kind::kTuple)
          refuse("a call of what is no function");
        const std::string_view name = values_[function].text;
        Value& call = push_new(Kind::kCall);
        call.argument = argument;
        call.text = name;
        return true;
      }
      case 'b':  // BUILD: attributes, as the _metadata of a state dict
        pop();
        if (!makes_empty(values_[top()])) refuse("attributes for what is no OrderedDict");
        return true;
      case 'Q': {  // BINPERSID
        const Ref id = pop();
        push_new(Kind::kPersistent).argument = id;
        return true;
      }
      default:
        return false;
    }
  }
  void push_global(std::string_view module, std::string_view name) {
    if (!is_allowed_(module, name))
      throw data_corruption("{}: asks for the Python object '{}', which is not run; save the weights as safetensors",
                            place_, printable(fmt::format("{}.{}", module, name)));
    push_new(Kind::kGlobal).text = name;
  }

  std::span<const std::byte> bytes_;
  const std::string& place_;
  Pickle::IsAllowed is_allowed_;
  std::vector<Value>& values_;
  size_t at_ = 0, opcode_at_ = 0;
  std::vector<Ref> stack_, memo_;
  std::vector<size_t> marks_;
};

}  // namespace

Pickle::Pickle(std::span<const std::byte> bytes, const std::string& place, IsAllowed is_allowed) {
  root_ = PickleReader(bytes, place, is_allowed, values_).read();
}

}  // namespace hearth
