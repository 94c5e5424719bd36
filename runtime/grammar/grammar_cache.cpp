#include "runtime/grammar/grammar_cache.h"

#include <algorithm>
#include <utility>

namespace hearth {

std::shared_ptr<TokenGrammar> GrammarCache::get(const std::string& key, const std::function<Grammar()>& make) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(entries_, key, &Entry::key);
  if (known != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, known);
    return entries_.front().grammar;
  }
  auto automaton = std::make_shared<Automaton>(make());
  if (!tokens_) tokens_ = std::make_shared<TokenTable>(*tokenizer_);
  entries_.push_front({key, std::make_shared<TokenGrammar>(std::move(automaton), tokens_)});
  if (entries_.size() > kKept) entries_.pop_back();
  return entries_.front().grammar;
}

}  // namespace hearth
