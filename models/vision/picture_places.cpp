#include "models/vision/picture_places.h"

#include <algorithm>
#include <string>

#include "runtime/tokenizer/utf8.h"

namespace hearth {

bool begins_word(std::string_view text) {
  size_t end = 0;
  return !text.empty() && text[0] != '<' && !utf8::is_space(utf8::decode(text, end));
}

namespace {

// Where the next `placeholder` that no message spells begins.
size_t find_place(const PromptSegment& segment, std::string_view placeholder, size_t from) {
  size_t at = segment.text.find(placeholder, from);
  const auto spells_it = [&](const ByteRange& range) {
    return range.begin < at + placeholder.size() && at < range.end;
  };
  while (at != std::string::npos && std::ranges::any_of(segment.literal, spells_it))
    at = segment.text.find(placeholder, at + 1);
  return at;
}

void space_words_behind(std::string_view placeholder, PromptSegment& segment) {
  std::string& text = segment.text;
  if (segment.kind != PromptSegment::Kind::kText || utf8::find_invalid(text) != std::string::npos) return;
  for (size_t at = find_place(segment, placeholder, 0); at != std::string::npos;
       at = find_place(segment, placeholder, at)) {
    at += placeholder.size();
    if (!begins_word(std::string_view(text).substr(at))) continue;
    text.insert(at, 1, ' ');
    for (ByteRange& range : segment.literal)
      if (range.begin >= at) range = {range.begin + 1, range.end + 1};
  }
}

PromptSegment part_of(const PromptSegment& segment, size_t begin, size_t end) {
  PromptSegment part = {.text = segment.text.substr(begin, end - begin)};
  for (const ByteRange& range : segment.literal)
    if (range.begin < end && begin < range.end)
      part.literal.push_back({std::max(range.begin, begin) - begin, std::min(range.end, end) - begin});
  return part;
}

}  // namespace

void space_words_behind(std::string_view placeholder, std::span<PromptSegment> segments) {
  for (PromptSegment& segment : segments) space_words_behind(placeholder, segment);
}

std::vector<PromptSegment> split_at_pictures(std::span<const PromptSegment> segments) {
  constexpr std::string_view kPlaceholder = "<image>";
  std::vector<PromptSegment> parts;
  for (const PromptSegment& segment : segments) {
    if (segment.kind != PromptSegment::Kind::kText) {
      parts.push_back(segment);
      continue;
    }
    for (size_t begin = 0; begin < segment.text.size();) {
      const size_t at = find_place(segment, kPlaceholder, begin), end = std::min(at, segment.text.size());
      if (begin < end) parts.push_back(part_of(segment, begin, end));
      if (at != std::string::npos) parts.push_back({PromptSegment::Kind::kPicture, std::string(kPlaceholder)});
      begin = end + kPlaceholder.size();
    }
  }
  return parts;
}

}  // namespace hearth
