#include "finetune/encoding/preview.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/first_examples.h"
#include "finetune/encoding/encode_examples.h"

namespace hearth {
namespace {

PreviewPart part_of(const Tokenizer& tokenizer, const TokenizedExample& example, size_t begin, size_t count,
                    std::string role) {
  const auto ids = std::span(example.input_ids).subspan(begin, count);
  const auto labels = std::span(example.labels).subspan(begin, count);
  const auto tokens = static_cast<int64_t>(count);
  return {std::move(role), learnt_runs(tokenizer, ids, labels), tokens,
          tokens - std::count(labels.begin(), labels.end(), kIgnoredLabel)};
}

std::vector<PreviewPart> parts_of(const Tokenizer& tokenizer, const TokenizedExample& example) {
  if (example.packed_lengths.empty()) return {part_of(tokenizer, example, 0, example.input_ids.size(), "text")};
  const auto first = static_cast<size_t>(example.packed_lengths[0]);
  if (example.desirable) return {part_of(tokenizer, example, 0, first, fmt::format("kto_tag: {}", *example.desirable))};
  return {part_of(tokenizer, example, 0, first, "chosen"),
          part_of(tokenizer, example, first, example.input_ids.size() - first, "rejected")};
}

// Of the same length without packing.
DataSpec unpacked(const DataSpec& data) {
  DataSpec out = data;
  out.cutoff_len = effective_cutoff_len(data);
  out.packing = false;
  out.neat_packing = false;
  return out;
}

}  // namespace

Preview preview_examples(const LoadedModel& model, const TrainSpec& spec, int64_t offset, int64_t limit) {
  const DataSpec data = unpacked(spec.data);
  ExamplePage page = read_page_of_examples(data, spec.stage, offset, limit);
  Preview preview;
  preview.warnings = std::move(page.warnings);
  preview.has_more = page.has_more;
  for (const ExamplePage::Entry& entry : page.entries) {
    std::string dropped = entry.dropped;
    if (dropped.empty()) {
      // One at a time: so it is known which was cut, and of kto an example's KL answer is its own and cuts nothing.
      const EncodedData encoded = encode_examples(model, std::span(&entry.example, 1), data, spec.stage);
      preview.source = encoded.source;
      if (encoded.dropped.empty())
        preview.examples.push_back(
            {entry.row, encoded.truncated > 0, parts_of(*model.tokenizer, encoded.examples.front())});
      else
        dropped = encoded.dropped.front().reason;
    }
    if (!dropped.empty()) preview.dropped.push_back(entry.example.place + ": " + dropped);
  }
  return preview;
}

}  // namespace hearth
