// A set of Unicode code points, as sorted, disjoint, not adjacent ranges. Surrogates are no characters and in no set.
#pragma once

#include <initializer_list>
#include <vector>

namespace hearth {

class CharSet {
 public:
  struct Range {
    char32_t first, last;
    bool operator==(const Range&) const = default;
  };

  CharSet() = default;
  CharSet(std::initializer_list<Range> ranges);
  static CharSet all();

  void add(char32_t first, char32_t last);
  void add(const CharSet& other);
  CharSet complement() const;
  CharSet intersection(const CharSet& other) const;

  bool empty() const { return ranges_.empty(); }
  bool contains(char32_t c) const;
  bool contains(const CharSet& other) const;
  const std::vector<Range>& ranges() const { return ranges_; }
  bool operator==(const CharSet&) const = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace hearth
