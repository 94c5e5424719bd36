// The part of a URL behind the '?', as HTML forms and OpenAI's clients encode it: names and values percent-decoded, '+'
// is a space. `metadata%5Bk%5D=v` is one with the name "metadata[k]".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth {

class Query {
 public:
  // Throws a 400 for a '%' that two hexadecimal digits do not follow.
  explicit Query(std::string_view text);

  // The value of that name; the last one when there are several. An empty one (`?after=`) counts as absent.
  std::optional<std::string_view> get(std::string_view name) const;
  // All, in order.
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

// Throws a 400 as above, naming `what` it is a part of.
std::string percent_decoded(std::string_view text, std::string_view what);

}  // namespace hearth
