// What stands within the marks of a call, or of a list of calls, byte by byte.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "templates/tool_parsers/message_sink.h"

namespace hearth {

// The tools of a request.
class KnownTools {
 public:
  explicit KnownTools(const nlohmann::ordered_json& tools);

  bool has(const std::string& name) const { return parameters_.contains(name); }
  // Null for a tool that is not known, or has none.
  const nlohmann::ordered_json& parameters(const std::string& name) const;

 private:
  nlohmann::ordered_json parameters_ = nlohmann::ordered_json::object();
};

enum class ReadStep {
  kMore,
  kDone,        // with this byte
  kDoneBefore,  // this byte is no part of it
  kFail,        // it is not what it seemed to be
};

class CallBodyReader {
 public:
  virtual ~CallBodyReader() = default;
  virtual ReadStep read(char byte) = 0;
};

// Finds where a JSON value ends. Takes more than JSON: what is wrong within a value is the reader's of the value.
class JsonValueEnd {
 public:
  ReadStep read(char byte);

 private:
  bool in_string_ = false, is_escaped_ = false, is_word_ = false;
  int depth_ = 0;
};

// {"name": ..., "arguments": ...}, or a list of them. `only_known`: calls of other functions are none.
std::unique_ptr<CallBodyReader> json_calls(const CallFormat& format, const KnownTools& tools, bool only_known,
                                           MessageSink& sink);
// [name(key=value, ...), ...]
std::unique_ptr<CallBodyReader> python_calls(const KnownTools& tools, bool only_known, MessageSink& sink);
// Arguments of a call whose name is known: a JSON object; Gemma 4's braces; a key and a value between marks, of which
// the arguments' braces are the caller's.
std::unique_ptr<CallBodyReader> json_arguments(const std::string& name, const std::string& id, MessageSink& sink);
std::unique_ptr<CallBodyReader> gemma4_arguments(const std::string& name, MessageSink& sink);
std::unique_ptr<CallBodyReader> parameter(const CallFormat& format, const nlohmann::ordered_json& parameters,
                                          bool is_first, MessageSink& sink);

}  // namespace hearth
