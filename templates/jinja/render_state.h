// What one rendering owns and may use up: its mutable objects, and budgets of steps, bytes and depth that bound any
// template on any input.
#pragma once

#include <ctime>
#include <memory>
#include <string_view>
#include <vector>

#include "templates/jinja/limits.h"
#include "templates/jinja/value.h"

namespace hearth::jinja {

class RenderState {
 public:
  RenderState(const Limits& limits, std::time_t now) : limits_(limits), now_(now) {}
  RenderState(const RenderState&) = delete;
  RenderState& operator=(const RenderState&) = delete;

  const Limits& limits() const { return limits_; }
  std::time_t now() const { return now_; }

  void step(uint64_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.steps || count > limits_.steps) out_of_steps();
  }
  void scan(size_t bytes) { step(bytes / 16); }
  void allocate(size_t bytes) {
    allocated_ += bytes;
    if (allocated_ > limits_.allocated_bytes || bytes > limits_.allocated_bytes) out_of_bytes();
  }
  size_t bytes_left() const { return limits_.allocated_bytes - std::min(limits_.allocated_bytes, allocated_); }

  // One level of recursion, for its scope.
  class Level {
   public:
    explicit Level(RenderState& state) : state_(state) {
      if (++state_.depth_ > state_.limits_.depth) {
        --state_.depth_;
        too_deep();
      }
    }
    ~Level() { --state_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    RenderState& state_;
  };

  // An object that lives until the rendering ends.
  template <class T, class... Args>
  T* make(Args&&... args) {
    allocate(sizeof(T) + 32);
    auto owned = std::make_unique<T>(std::forward<Args>(args)...);
    T* object = owned.get();
    objects_.push_back(Owned(owned.release(), [](void* p) { delete static_cast<T*>(p); }));
    return object;
  }

  Value list(std::vector<Value> items, List::Type type = List::Type::kList);
  Value tuple(std::vector<Value> items) { return list(std::move(items), List::Type::kTuple); }
  // Keys are distinct and hashable.
  Value dict(std::vector<Dict::Entry> entries);
  Value generator(std::vector<Value> items, std::string_view type = "generator");

 private:
  using Owned = std::unique_ptr<void, void (*)(void*)>;
  [[noreturn]] void out_of_steps() const;
  [[noreturn]] void out_of_bytes() const;
  [[noreturn]] static void too_deep();

  const Limits limits_;
  const std::time_t now_;
  uint64_t steps_ = 0;
  size_t allocated_ = 0;
  int depth_ = 0;
  std::vector<Owned> objects_;
};

// The one way to make a string out of others: keeps the literal ranges and counts the bytes.
class StringBuilder {
 public:
  explicit StringBuilder(RenderState& state) : state_(state) {}

  void append(std::string_view text, bool literal = false);
  void append(const String& string) { append(string, 0, string.bytes.size()); }
  void append(const String& string, size_t begin, size_t end);  // bytes
  void repeat(std::string_view text, size_t count, bool literal = false);

  size_t size() const { return string_.bytes.size(); }
  const std::string& bytes() const { return string_.bytes; }
  RenderState& state() const { return state_; }
  String take() { return std::move(string_); }
  Value value(bool markup = false) {
    string_.markup = markup;
    return std::make_shared<const String>(std::move(string_));
  }

 private:
  void mark(size_t begin, size_t end);
  RenderState& state_;
  String string_;
};

// Bytes [begin, end) of a string.
Value substring(RenderState& state, const Value& string, size_t begin, size_t end);

}  // namespace hearth::jinja
