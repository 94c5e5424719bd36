// A low-rank adapter (arXiv 2106.09685): what it adds to the linear maps of a model, by their numbers. A batch's
// segments name the adapter that their rows go through, so one step may mix adapters and rows without any. The model
// itself never changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/tape.h"

namespace hearth {

// The number of a linear map: its place among LanguageModel::linears().
using LinearId = int;

// y += scale * (dropout(x) A^T) B^T
struct LowRank {
  Parameter a;  // [rank, in]
  Parameter b;  // [out, rank]
  float scale = 1;
  float dropout = 0;  // while a tape records
  // DoRA (arXiv 2402.09353): rows of W + scale * B A are brought to this length.
  std::optional<Parameter> magnitude = {};  // [out]
  Tensor norms = {};                        // those lengths before, once nothing is trained any more; else undefined
  int64_t rank() const { return a.value.dim(0); }
};

class Adapter {
 public:
  Adapter() = default;
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  // From 1; no other of this process ever has the same, so what was computed with an adapter (cached keys and values)
  // is never taken for another's, as its address could be.
  const uint64_t number = next_number();
  std::string name;
  // By LinearId; null: the linear map is as the base has it. May be shorter than the model's list.
  std::vector<std::unique_ptr<LowRank>> low_ranks;

  // Null where this adapter leaves the linear map alone. The parameters are shared state of whoever trains them.
  LowRank* at(LinearId id) const {
    return id >= 0 && id < static_cast<LinearId>(low_ranks.size()) ? low_ranks[id].get() : nullptr;
  }

 private:
  static uint64_t next_number() {
    static std::atomic<uint64_t> last{0};
    return ++last;
  }
};

}  // namespace hearth
