#include "finetune/datasets/convert.h"

#include <algorithm>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"

namespace hearth {
namespace {

size_t occurrences(const std::vector<SlotMessage>& messages, std::string_view placeholder) {
  size_t count = 0;
  for (const SlotMessage& message : messages)
    for (size_t at = message.content.find(placeholder); at != std::string::npos;
         at = message.content.find(placeholder, at + placeholder.size()))
      ++count;
  return count;
}

// A placeholder for each file: the reference fails on others when it tokenises.
void check_placeholders(const RowView& row, const Example& example, const std::string& column,
                        std::string_view placeholder, size_t files) {
  if (column.empty()) return;
  size_t in_response = 0;
  for (const SlotMessage& response : example.response)
    in_response = std::max(in_response, occurrences({response}, placeholder));
  const size_t count = occurrences(example.prompt, placeholder) + in_response;
  if (count != files) row.fail(column, fmt::format("{} files, but {} {} in the messages", files, count, placeholder));
}

using Converter = Aligned (*)(const RowView&, const DatasetInfo&);

Converter converter(Formatting formatting) {
  switch (formatting) {
    case Formatting::kAlpaca:
      return align_alpaca;
    case Formatting::kSharegpt:
      return align_sharegpt;
    case Formatting::kOpenai:
      return align_openai;
    case Formatting::kOpenaiPreference:
      return align_openai_preference;
    case Formatting::kOpenaiChat:
      return align_openai_chat;
    case Formatting::kTrl:
      break;
  }
  return align_trl;
}

}  // namespace

Aligned align(Row& row, const DatasetInfo& info, const std::filesystem::path& media_dir) {
  if (!row.problem.empty()) throw BadExample(row.place, "", row.problem);
  const RowView view(row);
  Aligned out = converter(info.formatting)(view, info);
  Example& example = out.example;
  if (!out.dropped.empty()) example = {};
  example.place = row.place;
  if (!out.dropped.empty()) return out;
  const DatasetColumns& columns = info.columns;
  if (!columns.tools.empty()) example.tools = view.tools(columns.tools);
  example.images = view.media(columns.images, media_dir);
  example.videos = view.media(columns.videos, media_dir);
  example.audios = view.media(columns.audios, media_dir);
  check_placeholders(view, example, columns.images, "<image>", example.images.size());
  check_placeholders(view, example, columns.videos, "<video>", example.videos.size());
  check_placeholders(view, example, columns.audios, "<audio>", example.audios.size());
  return out;
}

}  // namespace hearth
