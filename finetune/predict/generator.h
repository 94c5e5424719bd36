// Answers to many prompts from one model, in their order: several at a time through the engine, which shares their
// steps and what they begin with. An answer depends on its prompt alone, not on how many go at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "finetune/encoding/encode_prompts.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"
#include "runtime/adapter.h"

namespace hearth {

struct GeneratedAnswer {
  std::string text;
  int64_t tokens = 0;
};

class Generator {
 public:
  // `adapter` may be null.
  Generator(const LoadedModel& loaded, std::shared_ptr<const Adapter> adapter, const TrainSpec& spec);

  // answer(next one) for the prompts from `first` on; false when `stop` said so before the last. Throws
  // kInvalidArgument naming the example whose prompt leaves no room for an answer, kResourceExhausted where memory has
  // none for the cache of one sequence.
  bool run(std::span<const EncodedPrompt> prompts, size_t first,
           const std::function<void(const GeneratedAnswer&)>& answer, const std::function<bool()>& stop) const;

  // "greedy", "sampled at temperature 0.95 ...": for logs; a sampled answer follows from the job's seed and its place.
  std::string description() const;

 private:
  const LoadedModel& loaded_;
  std::shared_ptr<const Adapter> adapter_;
  const TrainSpec& spec_;
};

}  // namespace hearth
