#include "runtime/grammar/token_trie.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/grammar/automaton.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

constexpr size_t kBits = 64;
constexpr int64_t kMostWork = 2'000'000;  // of one mask: hundredths of a second

void set(TokenMask& mask, TokenId id) {
  mask[static_cast<size_t>(id) / kBits] |= uint64_t{1} << (static_cast<size_t>(id) % kBits);
}

// 0: not plain characters alone
size_t plain_length(const std::string& bytes) {
  if (utf8::find_invalid(bytes) != std::string::npos) return 0;
  size_t length = 0;
  for (size_t at = 0; at < bytes.size(); ++length)
    if (!plain_string_chars().contains(utf8::decode(bytes, at))) return 0;
  return length;
}

}  // namespace

TokenTrie::TokenTrie(std::vector<Token> tokens) {
  std::ranges::sort(tokens,
                    [](const Token& a, const Token& b) { return std::tie(a.bytes, a.id) < std::tie(b.bytes, b.id); });
  std::vector<uint32_t> path;  // nodes of the text before
  std::string before;
  const auto leave = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (const Token& token : tokens) {
    const auto differs = std::mismatch(before.begin(), before.end(), token.bytes.begin(), token.bytes.end()).second;
    leave(static_cast<size_t>(differs - token.bytes.begin()));
    for (size_t depth = path.size(); depth < token.bytes.size(); ++depth) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      const auto next_id = static_cast<uint32_t>(ids_.size());
      nodes_.push_back({static_cast<uint8_t>(token.bytes[depth]), static_cast<uint32_t>(depth), 0, next_id, next_id});
    }
    ids_.push_back(token.id);
    nodes_[path.back()].tokens_end = static_cast<uint32_t>(ids_.size());
    depth_ = std::max(depth_, token.bytes.size());
    before = token.bytes;
  }
  leave(0);
}

void TokenTrie::add_readable(Matcher& matcher, Matcher::State state, TokenMask& mask) const {
  std::vector<Matcher::State> before(depth_ + 1);  // before[d]: where a node of depth d begins
  before[0] = state;
  const int64_t most = matcher.work() + kMostWork;
  for (size_t i = 0; i < nodes_.size();) {
    const Node& node = nodes_[i];
    const Matcher::State after = matcher.next(before[node.depth], node.byte);
    if (matcher.work() > most)
      throw resource_exhausted("the grammar is in too many places at once: what may come next takes too long to find");
    if (after == Matcher::kDead) {
      i = node.end;
      continue;
    }
    for (uint32_t t = node.tokens_begin; t < node.tokens_end; ++t) set(mask, ids_[t]);
    before[node.depth + 1] = after;
    ++i;
  }
}

TokenTable::TokenTable(const Tokenizer& tokenizer, std::span<const TokenId> controls)
    : words_((static_cast<size_t>(tokenizer.vocab_size()) + kBits - 1) / kBits),
      bytes_(static_cast<size_t>(tokenizer.vocab_size())) {
  std::vector<TokenTrie::Token> all, other;
  std::vector<std::pair<size_t, TokenId>> plain;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.has_token(id) || tokenizer.is_special(id)) continue;
    std::string& bytes = bytes_[static_cast<size_t>(id)];
    bytes = tokenizer.token_bytes(id);
    if (bytes.find(static_cast<char>(kControlByte)) != std::string::npos) bytes.clear();  // no text, and no control
    if (bytes.empty()) continue;
    all.push_back({bytes, id});
    if (const size_t length = plain_length(bytes); length > 0) {
      plain.emplace_back(length, id);
    } else {
      other.push_back({bytes, id});
    }
  }
  for (size_t i = 0; i < std::min(controls.size(), kMaxControls); ++i) {
    std::string& bytes = bytes_[static_cast<size_t>(controls[i])];
    bytes = {static_cast<char>(kControlByte), static_cast<char>(i)};
    all.push_back({bytes, controls[i]});
    other.push_back({bytes, controls[i]});
  }
  all_ = TokenTrie(std::move(all));
  other_ = TokenTrie(std::move(other));
  std::ranges::sort(plain);
  for (const auto& [length, id] : plain) {
    while (plain_.size() < length) plain_.push_back(plain_.empty() ? TokenMask(words_) : plain_.back());
    set(plain_.back(), id);
  }
}

TokenMask TokenTable::readable(Matcher& matcher, Matcher::State state) const {
  TokenMask mask(words_);
  const auto run = static_cast<size_t>(matcher.plain_run(state));
  if (!plain_.empty() && run >= plain_.size()) {
    mask = plain_.back();
    other_.add_readable(matcher, state, mask);
  } else {
    all_.add_readable(matcher, state, mask);
  }
  return mask;
}

}  // namespace hearth
