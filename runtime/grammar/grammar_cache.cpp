#include "runtime/grammar/grammar_cache.h"

#include <algorithm>
#include <utility>

namespace hearth {

std::shared_ptr<TokenGrammar> GrammarCache::get(const std::string& key, const std::function<Grammar()>& make) {
  if (auto known = find(key)) return known;
  auto automaton = std::make_shared<Automaton>(make());  // may take a while: others need not wait
  const std::lock_guard lock(mutex_);
  if (!tokens_) tokens_ = std::make_shared<TokenTable>(*tokenizer_, controls_);
  const int64_t nodes = automaton->size();
  entries_.push_front({key, nodes, std::make_shared<TokenGrammar>(std::move(automaton), tokens_)});
  nodes_ += nodes;
  while (entries_.size() > 1 && (entries_.size() > kMostKept || nodes_ > kMostNodes)) {
    nodes_ -= entries_.back().nodes;
    entries_.pop_back();
  }
  return entries_.front().grammar;
}

std::shared_ptr<TokenGrammar> GrammarCache::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(entries_, key, &Entry::key);
  if (known == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, known);
  return entries_.front().grammar;
}

}  // namespace hearth
