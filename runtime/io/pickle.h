// Reads a Python pickle (protocols 2 to 5, docs.python.org/3/library/pickletools) as data: a call in it becomes a value
// that says what would be called, and nothing is ever looked up, imported or run. The globals it may name are the
// caller's list. Untrusted: its size, stack, memo and number of values are bounded, and what it allocates is
// proportional to its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

class Pickle {
 public:
  using Ref = uint32_t;  // of a value; values may be shared and may contain themselves
  enum class Kind {
    kOther,       // None, a bool, a float, bytes, an integer of more than 64 bits, a list: not told apart
    kInteger,     // number
    kText,        // text
    kTuple,       // items
    kDict,        // items: key, value, key, value; a later key replaces an earlier one
    kGlobal,      // text: its name without the module
    kCall,        // text: the function's name; argument: the tuple of its arguments; items: as kDict, set afterwards
    kPersistent,  // argument: what identifies an object that is stored elsewhere
  };
  struct Value {
    Kind kind = Kind::kOther;
    Ref argument = 0;
    int64_t number = 0;
    std::string_view text;
    std::vector<Ref> items;
  };
  using IsAllowed = bool (*)(std::string_view module, std::string_view name);

  // Texts are views of `bytes`. Throws kDataCorruption beginning with `place`; a global that is not allowed is named.
  Pickle(std::span<const std::byte> bytes, const std::string& place, IsAllowed is_allowed);

  const Value& root() const { return values_[root_]; }
  const Value& operator[](Ref ref) const { return values_[ref]; }

 private:
  std::vector<Value> values_;
  Ref root_ = 0;
};

}  // namespace hearth
