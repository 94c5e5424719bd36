// Calls in other spellings than JSON: Python's, Gemma 4's, arguments between marks.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "templates/tool_parsers/argument_text.h"
#include "templates/tool_parsers/call_body.h"
#include "templates/tool_parsers/mark_finder.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

class PythonCalls : public CallBodyReader {
 public:
  PythonCalls(const KnownTools& tools, bool only_known, MessageSink& sink)
      : tools_(tools), only_known_(only_known), sink_(sink) {}

  ReadStep read(char byte) override {
    switch (state_) {
      case State::kOpen:
        if (is_blank(byte)) return ReadStep::kMore;
        state_ = State::kName;
        return byte == '[' ? ReadStep::kMore : ReadStep::kFail;
      case State::kName:
        return read_name(byte);
      case State::kKey:
        return read_key(byte);
      case State::kValue:
        return read_value(byte);
      case State::kNext:
        if (is_blank(byte)) return ReadStep::kMore;
        if (byte == ']') return ReadStep::kDone;
        state_ = State::kName;
        return byte == ',' ? ReadStep::kMore : ReadStep::kFail;
    }
    return ReadStep::kFail;
  }

 private:
  enum class State { kOpen, kName, kKey, kValue, kNext };

  ReadStep read_name(char byte) {
    if (name_.empty() && is_blank(byte)) return ReadStep::kMore;
    if (is_name_char(byte)) {
      name_ += byte;
      return ReadStep::kMore;
    }
    if (byte != '(' || name_.empty() || (only_known_ && !tools_.has(name_))) return ReadStep::kFail;
    sink_.call(name_);
    declared_.clear();
    const Json& parameters = tools_.parameters(name_);
    if (parameters.is_object() && parameters.contains("properties"))
      for (const auto& [key, schema] : parameters.at("properties").items()) declared_.push_back(key);
    name_.clear();
    position_ = 0;
    sink_.arguments("{");
    is_first_ = true;
    key_.clear();
    state_ = State::kKey;
    return ReadStep::kMore;
  }

  ReadStep read_key(char byte) {
    if (is_blank(byte)) return ReadStep::kMore;
    if (byte == ')' && key_.empty()) return end_call();
    if (byte == '=' && !key_.empty()) {
      value_.clear();
      depth_ = 0;
      state_ = State::kValue;
      return ReadStep::kMore;
    }
    if (is_name_char(byte)) {
      key_ += byte;
      return ReadStep::kMore;
    }
    // A value without a key is that of the next property.
    if (position_ == declared_.size()) return ReadStep::kFail;
    value_.clear();
    depth_ = 0;
    state_ = State::kValue;
    for (const char begun : std::exchange(key_, declared_[position_++])) read_value(begun);
    return read_value(byte);
  }

  ReadStep read_value(char byte) {
    if (quote_ != 0) {
      if (is_escaped_) {
        is_escaped_ = false;
      } else if (byte == '\\') {
        is_escaped_ = true;
      } else if (byte == quote_) {
        quote_ = 0;
      }
    } else if (byte == '"' || byte == '\'') {
      quote_ = byte;
    } else if (depth_ == 0 && (byte == ',' || byte == ')')) {
      return end_value() ? (byte == ')' ? end_call() : ReadStep::kMore) : ReadStep::kFail;
    } else if (byte == '[' || byte == '{' || byte == '(') {
      ++depth_;
    } else if (byte == ']' || byte == '}' || byte == ')') {
      --depth_;
    }
    value_ += byte;
    return ReadStep::kMore;
  }

  bool end_value() {
    Json value;
    if (!read_python(value_, value)) return false;
    sink_.arguments((is_first_ ? "" : ", ") + json_line(key_) + ": " + json_line(value));
    is_first_ = false;
    key_.clear();
    state_ = State::kKey;
    return true;
  }

  ReadStep end_call() {
    sink_.arguments("}");
    sink_.complete_call();
    state_ = State::kNext;
    return ReadStep::kMore;
  }

  const KnownTools& tools_;
  const bool only_known_;
  MessageSink& sink_;
  State state_ = State::kOpen;
  std::string name_, key_, value_;
  std::vector<std::string> declared_;  // properties of the function that is being called
  size_t position_ = 0;
  int depth_ = 0;
  char quote_ = 0;
  bool is_escaped_ = false, is_first_ = true;
};

class Gemma4Arguments : public CallBodyReader {
 public:
  Gemma4Arguments(std::string name, MessageSink& sink) : name_(std::move(name)), sink_(sink) {}

  ReadStep read(char byte) override {
    if (text_.empty() && byte != '{') return is_blank(byte) ? ReadStep::kMore : ReadStep::kFail;
    text_ += byte;
    if (text_.ends_with("<|\"|>")) in_text_ = !in_text_;
    if (in_text_) return ReadStep::kMore;
    if (byte == '{') ++depth_;
    if (byte != '}' || --depth_ > 0) return ReadStep::kMore;
    Json value;
    if (!read_gemma4(text_, value)) return ReadStep::kFail;
    sink_.call(name_);
    sink_.arguments(json_line(value));
    sink_.complete_call();
    return ReadStep::kDone;
  }

 private:
  std::string name_, text_;
  MessageSink& sink_;
  int depth_ = 0;
  bool in_text_ = false;
};

class Parameter : public CallBodyReader {
 public:
  Parameter(const CallFormat& format, const Json& parameters, bool is_first, MessageSink& sink)
      : parameters_(parameters),
        before_(is_first ? "{" : ", "),
        sink_(sink),
        is_on_lines_(format.value_end.starts_with('\n')),
        key_end_({std::string(bare_mark(format.key_end))}, false),
        value_end_(is_on_lines_ ? std::vector{"\n" + std::string(bare_mark(format.value_end)),
                                              std::string(bare_mark(format.value_end))}
                                : std::vector{std::string(bare_mark(format.value_end))},
                   false) {}

  ReadStep read(char byte) override {
    if (in_key_) {
      if (!key_end_.read(byte, key_)) return ReadStep::kMore;
      in_key_ = false;
      types_ = declared_types(parameters_, key_);
      is_text_ = types_ == std::set<std::string>{"string"};
      sink_.arguments(before_ + json_line(key_) + ": " + (is_text_ ? "\"" : ""));
      return ReadStep::kMore;
    }
    if (is_on_lines_ && std::exchange(at_line_, false) && byte == '\n') return ReadStep::kMore;
    at_line_ = false;
    std::string more;
    const bool is_done = value_end_.read(byte, more).has_value();
    if (is_text_)
      sink_.arguments(json_escaped(more) + (is_done ? "\"" : ""));
    else
      value_ += more;
    if (!is_done) return ReadStep::kMore;
    if (!is_text_) sink_.arguments(json_line(typed_argument(value_, types_)));
    return ReadStep::kDone;
  }

 private:
  const Json& parameters_;
  std::string before_;
  MessageSink& sink_;
  bool is_on_lines_, in_key_ = true, at_line_ = true, is_text_ = false;
  MarkFinder key_end_, value_end_;
  std::string key_, value_;
  std::set<std::string> types_;
};

}  // namespace

KnownTools::KnownTools(const Json& tools) {
  for (const Json& tool : tools) {
    const Json& function = tool.contains("function") ? tool.at("function") : tool;
    const auto name = function.find("name");
    if (name == function.end() || !name->is_string()) continue;
    const auto parameters = function.find("parameters");
    parameters_[name->get<std::string>()] = parameters == function.end() ? Json() : *parameters;
  }
}

const Json& KnownTools::parameters(const std::string& name) const {
  static const Json kNone;
  const auto found = parameters_.find(name);
  return found == parameters_.end() ? kNone : *found;
}

std::unique_ptr<CallBodyReader> python_calls(const KnownTools& tools, bool only_known, MessageSink& sink) {
  return std::make_unique<PythonCalls>(tools, only_known, sink);
}

std::unique_ptr<CallBodyReader> gemma4_arguments(const std::string& name, MessageSink& sink) {
  return std::make_unique<Gemma4Arguments>(name, sink);
}

std::unique_ptr<CallBodyReader> parameter(const CallFormat& format, const Json& parameters, bool is_first,
                                          MessageSink& sink) {
  return std::make_unique<Parameter>(format, parameters, is_first, sink);
}

}  // namespace hearth
