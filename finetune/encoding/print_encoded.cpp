#include "finetune/encoding/print_encoded.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "finetune/encoding/learnt_runs.h"

namespace hearth {
namespace {

// A text of the data must not steer the terminal.
std::string without_controls(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

}  // namespace

void print_example(std::ostream& out, const Tokenizer& tokenizer, const TokenizedExample& example,
                   const LearntMarks& marks) {
  out << fmt::format("input_ids:\n[{}]\ninputs:\n", fmt::join(example.input_ids, ", "));
  for (const LearntRun& run : learnt_runs(tokenizer, example.input_ids, example.labels))
    out << (run.learnt ? marks.begin : "") << without_controls(run.text) << (run.learnt ? marks.end : "");
  out << fmt::format("\nlabel_ids:\n[{}]\n", fmt::join(example.labels, ", "));
  if (example.desirable)
    out << fmt::format("kto_tag: {}, its own answer in the first {} tokens, the KL answer in the {} behind them\n",
                       *example.desirable, example.packed_lengths.at(0), example.packed_lengths.at(1));
  else if (!example.packed_lengths.empty())
    out << fmt::format("packed: {} examples of {} tokens\n", example.packed_lengths.size(),
                       fmt::join(example.packed_lengths, ", "));
}

EncodedTotals totals(std::span<const TokenizedExample> examples) {
  EncodedTotals out;
  out.examples = static_cast<int64_t>(examples.size());
  std::vector<int> lengths;
  for (const TokenizedExample& example : examples) {
    lengths.push_back(static_cast<int>(example.input_ids.size()));
    out.tokens += lengths.back();
    out.learnt += std::count_if(example.labels.begin(), example.labels.end(),
                                [](TokenId label) { return label != kIgnoredLabel; });
  }
  if (lengths.empty()) return out;
  std::sort(lengths.begin(), lengths.end());
  out.shortest = lengths.front();
  out.median = lengths[(lengths.size() - 1) / 2];
  out.percentile90 = lengths[(lengths.size() * 9 + 9) / 10 - 1];
  out.longest = lengths.back();
  return out;
}

void print_totals(std::ostream& out, const EncodedData& data) {
  const EncodedTotals all = totals(data.examples);
  out << fmt::format("{} examples ({}), {} tokens, {} of them learnt\n", all.examples, data.source, all.tokens,
                     all.learnt);
  out << fmt::format("length: shortest {}, median {}, 90 % up to {}, longest {}\n", all.shortest, all.median,
                     all.percentile90, all.longest);
  const auto tagged = [&](bool tag) {
    return std::count_if(data.examples.begin(), data.examples.end(),
                         [tag](const TokenizedExample& example) { return example.desirable == tag; });
  };
  if (const auto liked = tagged(true), disliked = tagged(false); liked + disliked > 0)
    out << fmt::format("kto_tag: {} true, {} false{}\n", liked, disliked,
                       liked == 0 || disliked == 0 ? " (only one kind of them: stage kto compares both)" : "");
  if (data.truncated > 0) out << fmt::format("{} examples were cut to cutoff_len\n", data.truncated);
  if (data.dropped.empty()) return;
  constexpr size_t kShown = 5;
  out << fmt::format("{} examples are left out:\n", data.dropped.size());
  for (size_t i = 0; i < std::min(kShown, data.dropped.size()); ++i)
    out << fmt::format("  {}: {}\n", data.dropped[i].place, data.dropped[i].reason);
  if (data.dropped.size() > kShown) out << fmt::format("  and {} more\n", data.dropped.size() - kShown);
}

}  // namespace hearth
