// A request of one API that is translated into another's keeps the names of its own fields: complaints about the
// translation name what the client has sent, "input[1].arguments" for "messages[3].tool_calls[0].function.arguments".
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/api_error.h"

namespace hearth {

class FieldNames {
 public:
  // What lies below `translated` lies below `original`; the longest name that fits counts.
  void add(std::string translated, std::string original);

  // Of a path, or of a JSON pointer into a schema ("/response_format/json_schema/schema/properties/a").
  std::string original(const std::string& param) const;
  ApiError original(const ApiError& error) const;

  // Calls `function`; an ApiError that it throws gets the original names.
  template <class Function>
  auto translated(Function&& function) const {
    try {
      return function();
    } catch (const ApiError& error) {
      throw original(error);
    }
  }

 private:
  std::string original_text(const std::string& message) const;

  std::vector<std::pair<std::string, std::string>> names_;
};

}  // namespace hearth
