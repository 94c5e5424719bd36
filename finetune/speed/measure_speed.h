// How many tokens a second a model reads, writes and learns on this machine: `hearth bench`. Reading and writing go
// through the engine as requests do, learning is a job of `hearth train` from top to bottom, on tokens drawn at random.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "models/loader.h"

namespace hearth {

// A count of 0 leaves the test out.
struct SpeedTests {
  int prompt_tokens = 512;                 // prefill: of one prompt
  int generated_tokens = 128;              // decode: of each sequence
  std::vector<int> sequences = {1, 8};     // decode: at once, a test each
  int train_rows = 4, train_tokens = 256;  // train: sequences of a step, and tokens of each
  int repetitions = 3;                     // of each test, after one that does not count
};

struct Speed {
  std::string test;                       // "prefill", "decode", "train"
  int sequences = 1, tokens = 0;          // of each
  std::vector<double> tokens_per_second;  // of each repetition; train: of each step

  double median() const;
};

class SpeedMonitor {
 public:
  virtual ~SpeedMonitor() = default;
  virtual void on_model(const std::string& description) = 0;
  virtual void on_test(const std::string& test, int sequences, int tokens) = 0;  // begins
  virtual void on_speed(const Speed& speed) = 0;                                 // is measured
  virtual bool stop_requested() = 0;
};

// `model` as load_model takes it. Training is LoRA of rank 8 on all linear maps, in bf16. Throws what loading, serving
// and training the model throw, kInvalidArgument for more tokens than it has positions, kCancelled.
void measure_speed(const std::filesystem::path& model, const SpeedTests& tests, SpeedMonitor& monitor);

}  // namespace hearth
