// Any bytes as a regular expression, a JSON Schema and a grammar in GBNF (the first byte says which): an automaton that
// leads to an end whatever is read, or an error that is the user's.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/grammar/gbnf.h"
#include "runtime/grammar/json_schema.h"
#include "runtime/grammar/matcher.h"
#include "runtime/grammar/regex.h"

namespace {

constexpr int kMostBytes = 300;

hearth::Grammar grammar_of(uint8_t kind, std::string_view text) {
  if (kind % 3 == 0) return {.rules = {hearth::parse_regex(text)}};
  if (kind % 3 == 1) return hearth::parse_gbnf(text);
  const auto schema = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  return hearth::json_schema_grammar(schema.is_discarded() ? nlohmann::ordered_json(true) : schema);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    hearth::Grammar grammar = grammar_of(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
    if (!hearth::prune(grammar)) return 0;
    hearth::Matcher matcher(std::make_shared<hearth::Automaton>(grammar, hearth::AutomatonLimits{.nodes = 20'000}));
    hearth::Matcher::State state = matcher.begin();
    // Along some text that it takes: where it may not end, something may follow.
    for (int i = 0; i < kMostBytes && !matcher.must_end(state); ++i) {
      hearth::Matcher::State next = hearth::Matcher::kDead;
      for (int byte = 0; byte < 256 && next == hearth::Matcher::kDead; ++byte)
        next = matcher.next(state, static_cast<uint8_t>(byte * 37 + data[static_cast<size_t>(i) % size]));
      if (next == hearth::Matcher::kDead) {
        if (!matcher.may_end(state) && i < hearth::Matcher::kMaxDepth) __builtin_trap();
        break;
      }
      state = next;
    }
  } catch (const hearth::Error& error) {
    if (error.code() != hearth::ErrorCode::kInvalidArgument) __builtin_trap();
  }
  return 0;
}
