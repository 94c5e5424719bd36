#include "finetune/predict/batch_engine.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/memory.h"

namespace hearth {
namespace {

struct InFlight {
  std::shared_ptr<Stream> stream;
  std::vector<TokenOutput> tokens;
};

// Waits for the rest of its tokens; false when stopped.
bool finish(InFlight& answer, const std::function<bool()>& stop) {
  constexpr auto kPatience = std::chrono::milliseconds(100);
  while (!stop()) {
    std::optional<StreamEvent> event = answer.stream->next(kPatience);
    if (!event) continue;
    if (event->kind == StreamEvent::Kind::kToken) answer.tokens.push_back(std::move(event->token));
    if (event->kind != StreamEvent::Kind::kFinished) continue;
    if (event->finish_reason == FinishReason::kError) throw internal_error("generation failed: {}", event->error);
    return true;
  }
  return false;
}

EngineOptions engine_options(const ModelDims& dims, const BatchEngine::Options& wanted) {
  EngineOptions options;
  options.kv_format = wanted.dtype == ComputeDtype::kFloat32 ? KvFormat::kF32 : KvFormat::kF16;
  options.max_running = std::min(wanted.at_once, 256);
  options.max_queued = 3 * options.max_running;
  constexpr int64_t kMostTokens = 1 << 24;
  const int64_t room = (available_memory() - resident_memory()) / 4 * 3;
  for (int64_t sequences = options.max_running; sequences > 0; sequences /= 2) {
    options.cache_tokens = static_cast<int>(std::min(sequences * wanted.longest, kMostTokens));
    if (cache_bytes(options, dims) <= room) return options;
  }
  throw resource_exhausted("the cache of a prompt with its answer ({} tokens) takes {}, and {} are left: {}",
                           wanted.longest, format_memory(cache_bytes(options, dims)),
                           format_memory(std::max<int64_t>(room, 0)), wanted.remedy);
}

}  // namespace

BatchEngine::BatchEngine(const LoadedModel& loaded, const Options& options)
    : options_(engine_options(loaded.model->dims(), options)), engine_(loaded.model, options_) {}

bool BatchEngine::run(size_t first, size_t end, const Request& request, const Answer& answer,
                      const std::function<bool()>& stop) {
  std::deque<InFlight> in_flight;
  const size_t most = static_cast<size_t>(options_.max_running) + static_cast<size_t>(options_.max_queued);
  for (size_t next = first, done = first; done < end; ++done) {
    for (; next < end && in_flight.size() < most; ++next) in_flight.push_back({engine_.submit(request(next)), {}});
    if (!finish(in_flight.front(), stop)) return false;
    answer(in_flight.front().tokens);
    in_flight.pop_front();
  }
  return true;
}

}  // namespace hearth
