#include "finetune/speed/measure_speed.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "finetune/parallel/communicator.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/trainer/silent_monitor.h"
#include "finetune/trainer/train.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/own_thread.h"
#include "runtime/base/random.h"
#include "runtime/engine/engine.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kShortPrompt = 16;  // of sequences that are there to be continued

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

std::vector<TokenId> random_ids(const Tokenizer& tokenizer, int64_t count, Random& random) {
  std::vector<TokenId> ids;
  while (static_cast<int64_t>(ids.size()) < count) {
    const auto id = static_cast<TokenId>(random.below(static_cast<uint64_t>(tokenizer.vocab_size())));
    if (tokenizer.has_token(id)) ids.push_back(id);
  }
  return ids;
}

struct Answer {
  Clock::time_point first, last;  // of its tokens
};

Answer wait_for(Stream& stream, SpeedMonitor& monitor) {
  constexpr auto kPatience = std::chrono::milliseconds(100);
  Answer answer;
  while (true) {
    if (monitor.stop_requested()) throw cancelled("stopped");
    const std::optional<StreamEvent> event = stream.next(kPatience);
    if (!event) continue;
    if (event->kind == StreamEvent::Kind::kToken) {
      answer.last = event->time;
      if (answer.first == Clock::time_point{}) answer.first = event->time;
    }
    if (event->kind != StreamEvent::Kind::kFinished) continue;
    if (event->finish_reason == FinishReason::kError) throw internal_error("generation failed: {}", event->error);
    return answer;
  }
}

class ServingSpeed {
 public:
  ServingSpeed(const LoadedModel& loaded, const SpeedTests& tests, SpeedMonitor& monitor)
      : loaded_(loaded), tests_(tests), monitor_(monitor), engine_(loaded.model, engine_options(loaded, tests)) {}

  void prefill() {
    measure({.test = "prefill", .sequences = 1, .tokens = tests_.prompt_tokens, .tokens_per_second = {}}, [this] {
      const Clock::time_point begin = Clock::now();
      const std::shared_ptr<Stream> stream = submit(tests_.prompt_tokens, 1);
      return tests_.prompt_tokens / seconds(wait_for(*stream, monitor_).first - begin);
    });
  }

  // From the last first token on, so that prompts do not count.
  void decode(int sequences) {
    measure({.test = "decode", .sequences = sequences, .tokens = tests_.generated_tokens, .tokens_per_second = {}},
            [this, sequences] {
              std::vector<std::shared_ptr<Stream>> streams(static_cast<size_t>(sequences));
              for (auto& stream : streams) stream = submit(kShortPrompt, tests_.generated_tokens + 1);
              Clock::time_point begin, end;
              for (const std::shared_ptr<Stream>& stream : streams) {
                const Answer answer = wait_for(*stream, monitor_);
                begin = std::max(begin, answer.first);
                end = std::max(end, answer.last);
              }
              return static_cast<double>(sequences) * tests_.generated_tokens / seconds(end - begin);
            });
  }

 private:
  static EngineOptions engine_options(const LoadedModel& loaded, const SpeedTests& tests) {
    const int most = std::max(tests.prompt_tokens + 1, kShortPrompt + tests.generated_tokens + 1);
    if (const int positions = loaded.model->dims().max_positions; most > positions)
      throw invalid_argument("the model has {} positions, and a test needs {}: ask for fewer tokens", positions, most);
    EngineOptions options;
    for (const int sequences : tests.sequences) {
      options.max_running = std::max(options.max_running, sequences);
      options.cache_tokens =
          std::max(options.cache_tokens, (kShortPrompt + tests.generated_tokens + 32) * sequences);  // whole blocks
    }
    options.cache_tokens = std::max(options.cache_tokens, most);
    return options;
  }

  std::shared_ptr<Stream> submit(int prompt_tokens, int max_tokens) {
    GenerateRequest request;
    request.prompt = random_ids(*loaded_.tokenizer, prompt_tokens, random_);
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    return engine_.submit(std::move(request));
  }

  template <class Once>
  void measure(Speed speed, Once&& once) {
    monitor_.on_test(speed.test, speed.sequences, speed.tokens);
    once();
    for (int i = 0; i < tests_.repetitions; ++i) speed.tokens_per_second.push_back(once());
    monitor_.on_speed(speed);
  }

  const LoadedModel& loaded_;
  const SpeedTests& tests_;
  SpeedMonitor& monitor_;
  Random random_{1};
  Engine engine_;
};

// A directory that ends with this.
class ScratchDirectory {
 public:
  ScratchDirectory() : path_((fs::temp_directory_path() / "hearth-bench-XXXXXX").string()) {
    if (!::mkdtemp(path_.data())) throw unavailable("{}: cannot be made; set TMPDIR to a directory that can", path_);
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  fs::path path() const { return path_; }

 private:
  std::string path_;
};

// Times the steps of a job but the first, which also makes what the others use again.
class StepClock : public SilentMonitor {
 public:
  StepClock(Speed& speed, SpeedMonitor& monitor) : SilentMonitor(kAskedElsewhere), speed_(speed), monitor_(monitor) {}

  void on_step(const TrainerState&, double, double) override {
    const Clock::time_point now = Clock::now();
    if (last_ != Clock::time_point{})
      speed_.tokens_per_second.push_back(static_cast<double>(speed_.sequences) * speed_.tokens / seconds(now - last_));
    last_ = now;
  }
  bool stop_requested() override { return monitor_.stop_requested(); }

 private:
  static inline const std::atomic<bool> kAskedElsewhere{false};  // the bench's monitor says when to stop

  Speed& speed_;
  SpeedMonitor& monitor_;
  Clock::time_point last_;
};

constexpr std::string_view kJob = R"(
stage: pt
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
dataset: random
packing: true
gradient_accumulation_steps: 1
learning_rate: 1.0e-5
lr_scheduler_type: constant
bf16: true
logging_steps: 1000000
save_strategy: "no"
report_to: none
overwrite_cache: true
)";

void train(const fs::path& model, const Tokenizer& tokenizer, const SpeedTests& tests, SpeedMonitor& monitor) {
  Speed speed{.test = "train", .sequences = tests.train_rows, .tokens = tests.train_tokens, .tokens_per_second = {}};
  monitor.on_test(speed.test, speed.sequences, speed.tokens);
  const ScratchDirectory scratch;
  const int steps = tests.repetitions + 1;
  Random random(1);
  const int64_t tokens = static_cast<int64_t>(steps) * tests.train_rows * tests.train_tokens;
  std::string text = tokenizer.decode(random_ids(tokenizer, 2 * tokens, random), /*skip_special=*/true);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  write_file_atomic(scratch.path() / "random.txt", text);
  write_file_atomic(scratch.path() / "dataset_info.json",
                    R"({"random": {"file_name": "random.txt", "columns": {"prompt": "text"}}})");
  const std::vector<std::string> overrides = {
      fmt::format("model_name_or_path={}", model.string()),
      fmt::format("dataset_dir={}", scratch.path().string()),
      fmt::format("output_dir={}", (scratch.path() / "out").string()),
      fmt::format("cutoff_len={}", tests.train_tokens),
      fmt::format("per_device_train_batch_size={}", tests.train_rows),
      fmt::format("max_steps={}", steps),
  };
  StepClock clock(speed, monitor);
  SingleProcess alone;
  const TrainSpec spec = parse_train_spec(kJob, "bench", overrides);
  if (run_job(spec, clock, alone).stopped) throw cancelled("stopped");
  monitor.on_speed(speed);
}

}  // namespace

double Speed::median() const {
  std::vector<double> sorted = tokens_per_second;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

void measure_speed(const fs::path& model, const SpeedTests& tests, SpeedMonitor& monitor) {
  std::shared_ptr<const Tokenizer> tokenizer;
  {
    const LoadedModel loaded = on_own_thread([&] { return load_model(model); });
    monitor.on_model(loaded.description);
    tokenizer = loaded.tokenizer;
    ServingSpeed serving(loaded, tests, monitor);
    if (tests.prompt_tokens > 0) serving.prefill();
    for (const int sequences : tests.sequences)
      if (tests.generated_tokens > 0) serving.decode(sequences);
  }
  if (tests.train_rows > 0 && tests.train_tokens > 0)
    on_own_thread([&] { return train(model, *tokenizer, tests, monitor), true; });
}

}  // namespace hearth
