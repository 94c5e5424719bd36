// Where the fields of a chat request came from in Anthropic's, so that what the checks of chat requests complain about
// is called by the name that the client sent.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/api_error.h"

namespace hearth::anthropic {

class FieldNames {
 public:
  // `chat`, and what begins with it ("tools[0].function" and "tools[0].function.name"), is `theirs`.
  void add(std::string chat, std::string theirs);
  // What `call` gives; ApiErrors out of it name Anthropic's fields.
  template <class Call>
  auto translate_errors(Call call) const -> decltype(call()) {
    try {
      return call();
    } catch (const ApiError& error) {
      throw translated(error);
    }
  }

 private:
  // A field's path, or a JSON pointer into the body; the longest of the names that it begins with decides.
  std::string translated(std::string_view name) const;
  ApiError translated(const ApiError& error) const;

  std::vector<std::pair<std::string, std::string>> names_;
};

}  // namespace hearth::anthropic
