// What a schema costs a step: the mask of the tokens that may come next and the move past the one that came, over the
// vocabulary of a model ($HEARTH_DEFAULT_MODEL, or the default one). cold: the first answer under a schema, which finds
// all its states and masks; warm: those after it. Items are tokens.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "runtime/base/random.h"
#include "runtime/grammar/constraint.h"
#include "runtime/grammar/json_schema.h"
#include "runtime/io/gguf.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {
namespace {

constexpr int kTokens = 200;

const char* const kSchema = R"({"type": "object", "properties": {
  "name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 120}, "summary": {"type": "string", "maxLength": 300},
  "tags": {"type": "array", "items": {"type": "string"}},
  "rest": {"type": "array", "items": {"type": "object", "properties": {"key": {"type": "string"}, "value": {"type": "number"}}, "required": ["key", "value"], "additionalProperties": false}}},
  "required": ["name", "age", "summary", "tags", "rest"], "additionalProperties": false})";

std::filesystem::path model_path() {
  if (const char* path = std::getenv("HEARTH_DEFAULT_MODEL")) return path;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home ? home : "") / ".cache/hearth/models/smollm2-135m-instruct.gguf";
}

std::shared_ptr<const Tokenizer> tokenizer() {
  static const std::shared_ptr<const Tokenizer> kLoaded = load_tokenizer(*GgufFile::open(model_path()));
  return kLoaded;
}

// A token that may come, drawn as a model might: among some that are looked at, one that goes on rather than ends.
TokenId draw(std::span<const uint64_t> allowed, Random& random, int64_t vocab_size) {
  for (int i = 0; i < 1000; ++i) {
    const auto id = static_cast<TokenId>(random.below(static_cast<uint64_t>(vocab_size)));
    if (has_token(allowed, id)) return id;
  }
  for (TokenId id = 0; id < vocab_size; ++id)
    if (has_token(allowed, id)) return id;
  return -1;
}

int write_answer(const std::shared_ptr<TokenGrammar>& grammar, uint64_t seed, int64_t vocab_size,
                 benchmark::State* state) {
  GrammarConstraint constraint(grammar);
  Random random(seed);
  int tokens = 0;
  for (; tokens < kTokens && !constraint.must_end(); ++tokens) {
    const std::span<const uint64_t> allowed = constraint.allowed();
    if (state) state->PauseTiming();
    const TokenId id = draw(allowed, random, vocab_size);
    if (state) state->ResumeTiming();
    constraint.accept(id);
  }
  return tokens;
}

void constrained_answer(benchmark::State& state, bool warm) {
  const int64_t vocab_size = tokenizer()->vocab_size();
  const auto table = std::make_shared<TokenTable>(*tokenizer());
  const auto automaton = std::make_shared<Automaton>(json_schema_grammar(nlohmann::ordered_json::parse(kSchema)));
  auto grammar = std::make_shared<TokenGrammar>(automaton, table);
  uint64_t seed = 0;
  int64_t tokens = 0;
  if (warm)
    for (; seed < 20; ++seed) write_answer(grammar, seed, vocab_size, nullptr);
  for (auto _ : state) {
    if (!warm) grammar = std::make_shared<TokenGrammar>(automaton, table);
    tokens += write_answer(grammar, ++seed, vocab_size, &state);
  }
  state.SetItemsProcessed(tokens);
  state.counters["vocabulary"] = static_cast<double>(vocab_size);
  state.counters["per_token"] =
      benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(constrained_answer, cold, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(constrained_answer, warm, true)->Unit(benchmark::kMillisecond);

void vocabulary(benchmark::State& state) {
  tokenizer();
  for (auto _ : state) benchmark::DoNotOptimize(std::make_shared<TokenTable>(*tokenizer()));
}
BENCHMARK(vocabulary)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hearth
