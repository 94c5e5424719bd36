#include "finetune/objectives/reference.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/ranges.h>

#include "finetune/objectives/answers.h"
#include "finetune/objectives/collator.h"
#include "models/adapters/adapter_config.h"
#include "models/adapters/peft_adapter.h"
#include "models/adapters/served_adapter.h"
#include "models/hub_cache.h"
#include "models/resolver.h"
#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/base/file_identity.h"
#include "runtime/base/hash.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// Which model a job compares with.
struct Plan {
  std::string model;
  std::vector<std::string> adapters;  // on it, in order
  bool loads_own = false;             // else the trained model, into which all but the last adapter are merged, serves
  bool has_start_adapter = false;     // ... with the adapter that training starts from, as it was
};

// Whether an adapter that training starts from replaces something of the model itself.
bool replaces_parts(const std::string& adapter) {
  const AdapterConfig config = read_adapter_config(adapter);
  return !config.modules_to_save.empty() || config.pissa_iterations;
}

bool is_same_place(const fs::path& a, const fs::path& b) {
  std::error_code missing;
  return a == b || fs::equivalent(a, b, missing);
}

Plan plan_of(const TrainSpec& spec) {
  const PreferenceSpec& p = spec.preference;
  const std::vector<std::string>&start = spec.adapter_name_or_path, &named = p.ref_model_adapters;
  const bool is_other_model =
      !p.ref_model.empty() && !is_same_place(resolve_model(p.ref_model), resolve_model(spec.model_name_or_path));
  const bool starts_from_it = !is_other_model && !named.empty() &&
                              std::equal(start.begin(), start.end(), named.begin(), named.end(), is_same_place);
  // The model by its own name, where the trained one has adapters merged into it.
  const bool is_bare = !p.ref_model.empty() && named.empty() && (start.size() > 1 || spec.lora.create_new_adapter);
  if (is_other_model || is_bare || (!named.empty() && !starts_from_it))
    return {.model = p.ref_model.empty() ? spec.model_name_or_path : p.ref_model, .adapters = named, .loads_own = true};
  Plan plan{.model = spec.model_name_or_path, .adapters = start};
  const bool keeps_last = starts_from_it || spec.lora.create_new_adapter || start.empty();
  if (!keeps_last) plan.adapters.pop_back();
  plan.loads_own = spec.finetuning_type != FinetuningType::kLora || !spec.lora.additional_target.empty() ||
                   spec.lora.pissa_init || (!start.empty() && replaces_parts(start.back()));
  plan.has_start_adapter = starts_from_it && !spec.lora.create_new_adapter && !plan.loads_own;
  return plan;
}

// Of all that the numbers depend on but the examples.
std::string fingerprint(const Plan& plan, bool bf16) {
  Hash hash;
  hash.add("1")
      .add(to_string(isa()))
      .add(bf16 ? "bf16" : "f32")
      .add(plan.loads_own           ? "own"
           : plan.has_start_adapter ? "with adapter"
                                    : "merged");
  add_identity(resolve_model(plan.model), hash);
  for (const std::string& adapter : plan.adapters) add_identity(adapter, hash.add("adapter"));
  return hash.text();
}

// Empty, which nothing is kept in, where there is no place for caches.
fs::path cache_path(const Plan& plan, bool bf16) {
  try {
    return hearth_cache_directory() / "reference" / (fingerprint(plan, bf16) + ".bin");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kFailedPrecondition) throw;
    return {};
  }
}

std::string name_of(const Plan& plan) {
  return plan.adapters.empty() ? plan.model : fmt::format("{} with {}", plan.model, fmt::join(plan.adapters, " and "));
}

// Where training starts, if the reference is somewhere else.
std::string start_note(const TrainSpec& spec, const Plan& plan) {
  const std::vector<std::string>& start = spec.adapter_name_or_path;
  if (start.empty() || plan.adapters == start) return "";
  const std::string names = fmt::format("{}", fmt::join(start, ", "));
  return fmt::format(" (training starts from {}; 'ref_model_adapters: {}' would make that the reference)",
                     fmt::join(start, " and "), names);
}

struct OwnModel {
  LoadedModel loaded;
  std::shared_ptr<const Adapter> adapter;
};

OwnModel load_own(const Plan& plan, const TrainSpec& spec, int64_t vocab_size) {
  const ComputeDtype dtype = spec.training.bf16 ? ComputeDtype::kBFloat16 : ComputeDtype::kFloat32;
  LoadedModel own = load_model(resolve_model(plan.model), {.compute_dtype = dtype});
  const int64_t found = own.model->dims().vocab_size;
  if (found != vocab_size)
    throw invalid_argument("ref_model: {} has a vocabulary of {}, {} one of {}: they must be the same", plan.model,
                           found, spec.model_name_or_path, vocab_size);
  const std::vector<fs::path> adapters(plan.adapters.begin(), plan.adapters.end());
  auto adapter = apply_adapters(adapters, own.model->tensors(), dtype);
  return {std::move(own), std::move(adapter)};
}

}  // namespace

Reference::Reference(const TrainSpec& spec, const LoadedModel& loaded, PictureFeatures& pictures)
    : model_(loaded.model), pictures_(&pictures) {
  const Plan plan = plan_of(spec);
  name_ = name_of(plan) + start_note(spec, plan);
  if (plan.loads_own) {
    OwnModel own = load_own(plan, spec, model_->dims().vocab_size);
    model_ = own.loaded.model;
    pictures_ = &own_pictures_.emplace(own.loaded, spec.data.pixel_limits, pictures.most_bytes());
    adapter_ = std::move(own.adapter);
  }
  if (plan.has_start_adapter)
    adapter_ = served_adapter(read_adapter(plan.adapters.back(), model_->tensors()), model_->tensors());
  if (spec.preference.precompute_ref_log_probs) cache_.emplace(cache_path(plan, spec.training.bf16));
}

std::vector<double> Reference::sums(std::span<const TokenizedExample* const> examples) {
  if (!cache_) return compute(examples);
  std::vector<const TokenizedExample*> missing = without_sums(examples);
  if (!missing.empty()) {
    cache_->read_new();
    missing = without_sums(examples);
  }
  if (!verified_ && missing.size() < examples.size()) missing = verified(examples, std::move(missing));
  const std::vector<double> computed = compute(missing);
  for (size_t i = 0; i < computed.size(); ++i) {
    const uint64_t answer = hash_of_answer(*missing[i / 2], static_cast<int>(i % 2));
    if (!cache_->find(answer)) cache_->put(answer, computed[i]);
  }
  std::vector<double> out;
  for (const TokenizedExample* example : examples)
    for (const int part : {0, 1}) out.push_back(*cache_->find(hash_of_answer(*example, part)));
  return out;
}

std::string Reference::description() const {
  if (!cache_) return fmt::format("the reference is {}, computed anew at every step", name_);
  if (!cache_->problem().empty())
    return fmt::format("the reference is {}; what it says cannot be kept on disk: {}", name_, cache_->problem());
  return fmt::format("the reference is {}; what it says is computed once and kept in {} ({} answers so far)", name_,
                     cache_->path().string(), cache_->size());
}

std::vector<const TokenizedExample*> Reference::without_sums(std::span<const TokenizedExample* const> examples) const {
  std::vector<const TokenizedExample*> missing;
  for (const TokenizedExample* example : examples)
    if (!cache_->find(hash_of_answer(*example, 0)) || !cache_->find(hash_of_answer(*example, 1)))
      missing.push_back(example);
  return missing;
}

// The first kept sums that a run meets are computed again: another version of the program may have made them by another
// arithmetic. Where they differ nothing of the file is used, and all examples are missing.
std::vector<const TokenizedExample*> Reference::verified(std::span<const TokenizedExample* const> examples,
                                                         std::vector<const TokenizedExample*> missing) {
  verified_ = true;
  const auto first = std::find_if(examples.begin(), examples.end(), [&](const TokenizedExample* example) {
    return std::find(missing.begin(), missing.end(), example) == missing.end();
  });
  const std::vector<double> again = compute({&*first, 1});
  if (again[0] == *cache_->find(hash_of_answer(**first, 0)) && again[1] == *cache_->find(hash_of_answer(**first, 1)))
    return missing;
  cache_->clear();
  return {examples.begin(), examples.end()};
}

std::vector<double> Reference::compute(std::span<const TokenizedExample* const> examples) {
  if (examples.empty()) return {};
  const Tape::Paused no_gradients;
  TrainingBatch batch = collate_answers(examples, adapter_.get(), model_->dims().fixed_rope_length);
  pictures_->see(batch);
  const Tensor logprobs = ops::token_logprobs(model_->forward(batch.batch), model_->output_head(), batch.targets);
  std::vector<double> sums;
  for (const AnswerRows& rows : answer_rows(batch)) sums.push_back(sum_over(rows, logprobs));
  return sums;
}

std::string reference_name(const TrainSpec& spec) {
  const bool compares = spec.stage == Stage::kKto || (spec.stage == Stage::kDpo && spec.preference.has_reference());
  return compares ? name_of(plan_of(spec)) : "";
}

}  // namespace hearth
