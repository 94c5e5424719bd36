// The grammars that a model's requests ask for, each compiled once. The vocabulary is taken in with the first.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/grammar/constraint.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

// Thread-safe.
class GrammarCache {
 public:
  // `controls`: TokenTable's.
  explicit GrammarCache(std::shared_ptr<const Tokenizer> tokenizer, std::vector<TokenId> controls = {})
      : tokenizer_(std::move(tokenizer)), controls_(std::move(controls)) {}

  // The grammar of `key`; `make` is called where it is not kept. Throws what `make` and Automaton throw.
  std::shared_ptr<TokenGrammar> get(const std::string& key, const std::function<Grammar()>& make);

 private:
  static constexpr size_t kMostKept = 64;
  static constexpr int64_t kMostNodes = 500'000;  // of the automata that are kept, of about 100 bytes
  struct Entry {
    std::string key;
    int64_t nodes;
    std::shared_ptr<TokenGrammar> grammar;
  };

  std::shared_ptr<TokenGrammar> find(const std::string& key);  // null: it is not kept

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const std::vector<TokenId> controls_;
  std::mutex mutex_;
  std::shared_ptr<const TokenTable> tokens_;
  int64_t nodes_ = 0;
  std::list<Entry> entries_;  // the one used last first
};

}  // namespace hearth
