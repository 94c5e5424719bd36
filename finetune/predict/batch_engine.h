// Many requests to one model, several at a time through an engine of their own, which shares their steps and what they
// begin with; the answers come in the order of the requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "models/loader.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/request.h"
#include "runtime/weight.h"

namespace hearth {

class BatchEngine {
 public:
  struct Options {
    int at_once = 8;      // sequences in a step
    int64_t longest = 0;  // tokens of a sequence, with its answer
    ComputeDtype dtype = ComputeDtype::kAuto;
    const char* remedy = "";  // for who has too little memory: "lower cutoff_len"
  };

  // Throws kResourceExhausted where memory has no room for the cache of one sequence.
  BatchEngine(const LoadedModel& loaded, const Options& options);

  int max_context() const { return engine_.max_context(); }

  // answer(tokens) of request(i) for each i from `first` to below `end`; false when `stop` said so before the last.
  using Request = std::function<GenerateRequest(size_t index)>;
  using Answer = std::function<void(const std::vector<TokenOutput>& tokens)>;
  bool run(size_t first, size_t end, const Request& request, const Answer& answer, const std::function<bool()>& stop);

 private:
  EngineOptions options_;
  Engine engine_;
};

}  // namespace hearth
