// Calls as JSON, and arguments as JSON behind a name.
#include <optional>
#include <utility>

#include "templates/tool_parsers/argument_text.h"
#include "templates/tool_parsers/call_body.h"
#include "templates/tool_parsers/mark_finder.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

class JsonCalls : public CallBodyReader {
 public:
  JsonCalls(const CallFormat& format, const KnownTools& tools, bool only_known, MessageSink& sink)
      : format_(format), tools_(tools), only_known_(only_known), sink_(sink) {}

  ReadStep read(char byte) override {
    switch (state_) {
      case State::kStart:
      case State::kItem:
        return read_start(byte);
      case State::kMember:
        return read_member(byte);
      case State::kKey:
        return read_key(byte);
      case State::kColon:
        if (is_blank(byte)) return ReadStep::kMore;
        if (byte != ':') return ReadStep::kFail;
        state_ = State::kValue;
        value_.clear();
        end_ = JsonValueEnd();
        return ReadStep::kMore;
      case State::kValue:
        return read_value(byte);
    }
    return ReadStep::kFail;
  }

 private:
  enum class State { kStart, kItem, kMember, kKey, kColon, kValue };

  ReadStep read_start(char byte) {
    if (is_blank(byte) || (state_ == State::kItem && byte == ',')) return ReadStep::kMore;
    if (byte == '{') {
      name_.reset();
      early_arguments_.reset();
      has_arguments_ = false;
      state_ = State::kMember;
      return ReadStep::kMore;
    }
    if (state_ == State::kStart && byte == '[') {
      is_list_ = true;
      state_ = State::kItem;
      return ReadStep::kMore;
    }
    return state_ == State::kItem && byte == ']' ? ReadStep::kDone : ReadStep::kFail;
  }

  ReadStep read_member(char byte) {
    if (is_blank(byte) || byte == ',') return ReadStep::kMore;
    if (byte == '}') return end_call();
    if (byte != '"') return ReadStep::kFail;
    key_ = "\"";
    end_ = JsonValueEnd();
    end_.read('"');
    state_ = State::kKey;
    return ReadStep::kMore;
  }

  ReadStep read_key(char byte) {
    key_ += byte;
    if (end_.read(byte) != ReadStep::kDone) return ReadStep::kMore;
    const Json key = parse_shallow_json(key_);
    if (!key.is_string()) return ReadStep::kFail;
    key_ = key.get<std::string>();
    state_ = State::kColon;
    return ReadStep::kMore;
  }

  ReadStep read_value(char byte) {
    if (value_.empty() && is_blank(byte)) return ReadStep::kMore;
    const ReadStep step = end_.read(byte);
    if (step != ReadStep::kDoneBefore) take(byte);
    if (step == ReadStep::kMore) return ReadStep::kMore;
    if (!end_value()) return ReadStep::kFail;
    state_ = State::kMember;
    return step == ReadStep::kDoneBefore ? read_member(byte) : ReadStep::kMore;
  }

  bool is_arguments() const { return key_ == format_.arguments_key || key_ == "arguments" || key_ == "parameters"; }

  void take(char byte) {
    value_ += byte;
    // An object's text is the arguments' as it is.
    if (is_arguments() && name_ && value_.front() == '{') sink_.arguments({&byte, 1});
  }

  bool end_value() {
    if (key_ == format_.name_key || key_ == "name") {
      const Json name = parse_shallow_json(value_);
      if (name_ || !name.is_string() || name.get<std::string>().empty()) return false;
      name_ = name.get<std::string>();
      if (only_known_ && !tools_.has(*name_)) return false;
      sink_.call(*name_);
      if (early_arguments_) sink_.arguments(*early_arguments_);
      return true;
    }
    if (!is_arguments()) return true;
    has_arguments_ = true;
    if (value_.front() == '{') {
      if (!name_) early_arguments_ = value_;
      return true;
    }
    std::string text = "{}";
    if (const Json value = parse_shallow_json(value_); value.is_string())
      text = value.get<std::string>();  // some models write the object as a text
    else if (!value.is_null())
      text = value_;
    if (name_)
      sink_.arguments(text);
    else
      early_arguments_ = std::move(text);
    return true;
  }

  ReadStep end_call() {
    if (!name_) return ReadStep::kFail;
    if (!has_arguments_) sink_.arguments("{}");
    sink_.complete_call();
    state_ = State::kItem;
    return is_list_ ? ReadStep::kMore : ReadStep::kDone;
  }

  const CallFormat& format_;
  const KnownTools& tools_;
  const bool only_known_;
  MessageSink& sink_;
  State state_ = State::kStart;
  bool is_list_ = false, has_arguments_ = false;
  std::string key_, value_;
  std::optional<std::string> name_, early_arguments_;
  JsonValueEnd end_;
};

class JsonArguments : public CallBodyReader {
 public:
  JsonArguments(std::string name, std::string id, MessageSink& sink)
      : name_(std::move(name)), id_(std::move(id)), sink_(sink) {}

  ReadStep read(char byte) override {
    if (!started_) {
      if (is_blank(byte)) return ReadStep::kMore;
      if (byte != '{') return ReadStep::kFail;
      started_ = true;
      sink_.call(name_, id_);
    }
    const ReadStep step = end_.read(byte);
    sink_.arguments({&byte, 1});
    if (step == ReadStep::kDone) sink_.complete_call();
    return step;
  }

 private:
  std::string name_, id_;
  MessageSink& sink_;
  bool started_ = false;
  JsonValueEnd end_;
};

}  // namespace

ReadStep JsonValueEnd::read(char byte) {
  if (in_string_) {
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (byte == '\\') {
      is_escaped_ = true;
    } else if (byte == '"') {
      in_string_ = false;
      if (depth_ == 0) return ReadStep::kDone;
    }
    return ReadStep::kMore;
  }
  const bool closes = byte == '}' || byte == ']';
  if (is_word_ && (closes || byte == ',' || is_blank(byte))) return ReadStep::kDoneBefore;
  if (byte == '"') {
    in_string_ = true;
  } else if (byte == '{' || byte == '[') {
    ++depth_;
  } else if (closes) {
    if (depth_ == 0) return ReadStep::kDoneBefore;
    if (--depth_ == 0) return ReadStep::kDone;
  } else if (depth_ == 0) {
    is_word_ = true;
  }
  return ReadStep::kMore;
}

std::unique_ptr<CallBodyReader> json_calls(const CallFormat& format, const KnownTools& tools, bool only_known,
                                           MessageSink& sink) {
  return std::make_unique<JsonCalls>(format, tools, only_known, sink);
}

std::unique_ptr<CallBodyReader> json_arguments(const std::string& name, const std::string& id, MessageSink& sink) {
  return std::make_unique<JsonArguments>(name, id, sink);
}

}  // namespace hearth
