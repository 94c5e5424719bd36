#include "finetune/encoding/packing.h"

#include <iterator>
#include <map>

#include "finetune/encoding/encoded_text.h"
#include "runtime/base/error.h"

namespace hearth {

std::vector<std::vector<size_t>> greedy_knapsack(std::span<const int> lengths, int capacity) {
  std::map<int, std::vector<size_t>> by_length;  // the later of equal ones is taken first
  for (size_t i = 0; i < lengths.size(); ++i) {
    HEARTH_CHECK(lengths[i] <= capacity);
    by_length[lengths[i]].push_back(i);
  }
  std::vector<std::vector<size_t>> packs;
  while (!by_length.empty()) {
    std::vector<size_t>& pack = packs.emplace_back();
    int left = capacity;
    for (auto next = by_length.upper_bound(left); next != by_length.begin(); next = by_length.upper_bound(left)) {
      const auto longest = std::prev(next);
      left -= longest->first;
      pack.push_back(longest->second.back());
      longest->second.pop_back();
      if (longest->second.empty()) by_length.erase(longest);
    }
  }
  return packs;
}

std::vector<TokenizedExample> pack_examples(std::span<const TokenizedExample> examples, int capacity,
                                            bool attends_across) {
  std::vector<int> lengths;
  for (const TokenizedExample& example : examples) lengths.push_back(static_cast<int>(example.input_ids.size()));
  std::vector<TokenizedExample> packed;
  for (const std::vector<size_t>& pack : greedy_knapsack(lengths, capacity)) {
    TokenizedExample& out = packed.emplace_back();
    for (const size_t i : pack) {
      const TokenizedExample& example = examples[i];
      append_pictures(example.pictures, static_cast<int>(out.input_ids.size()), out.pictures);
      out.input_ids.insert(out.input_ids.end(), example.input_ids.begin(), example.input_ids.end());
      out.labels.insert(out.labels.end(), example.labels.begin(), example.labels.end());
      if (pack.size() > 1) out.packed_lengths.push_back(lengths[i]);
    }
    out.attends_across = attends_across && pack.size() > 1;
  }
  return packed;
}

}  // namespace hearth
