#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "models/adapters/initial_factors.h"
#include "models/adapters/layout.h"
#include "models/adapters/peft_adapter.h"
#include "models/adapters/stored_values.h"
#include "runtime/base/error.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/torch_bin.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";

enum class Part { kA, kB, kMagnitude, kWhole };
constexpr std::pair<std::string_view, Part> kParts[] = {{".lora_A.weight", Part::kA},
                                                        {".lora_B.weight", Part::kB},
                                                        {".lora_magnitude_vector", Part::kMagnitude},
                                                        {".lora_magnitude_vector.weight", Part::kMagnitude}};

// Things of one kind that do not fit: how many, and the first of them.
struct Misfits {
  const char* what;
  size_t count = 0;
  std::string first = {};
  void add(std::string example) {
    if (count++ == 0) first = std::move(example);
  }
};

class Reader {
 public:
  Reader(const std::filesystem::path& directory, ModelTensors tensors)
      : directory_(directory), tensors_(tensors), config_(read_adapter_config(directory)), rules_(config_) {
    for (const std::shared_ptr<ModelTensor>& tensor : tensors) by_name_[tensor->name] = tensor;
    for (const std::shared_ptr<ModelTensor>& tensor : tensors)
      for (std::string& name : paths_in_files(tensor->name)) by_name_.emplace(std::move(name), tensor);
  }

  PeftAdapter read();

 private:
  void sort_in(const CheckpointFile::Tensor& stored);
  void put_part(const CheckpointFile::Tensor& stored, Part part, const ModelTensor& tensor);
  void put_saved(const CheckpointFile::Tensor& stored, const std::shared_ptr<ModelTensor>& tensor);
  void look_for_gaps();
  void refuse_misfits() const;
  bool has_shape(const CheckpointFile::Tensor& stored, const std::vector<int64_t>& expected);
  std::shared_ptr<ModelTensor> find(std::string_view name) const;
  bool targets(std::string_view path) const;  // by any of its paths

  const std::filesystem::path& directory_;
  ModelTensors tensors_;
  AdapterConfig config_;
  AdapterRules rules_;
  std::unordered_map<std::string, std::shared_ptr<ModelTensor>> by_name_;
  std::shared_ptr<const CheckpointFile> file_;
  size_t num_stored_ = 0;
  std::map<LinearId, LowRank> low_ranks_;
  std::map<const ModelTensor*, SavedTensor> saved_;
  Misfits unknown_{"name no linear map or saved module of it"}, shapes_{"have another shape"},
      uncalled_{"are not called for by adapter_config.json"}, twice_{"come twice"}, missing_{"are missing"};
};

std::shared_ptr<ModelTensor> Reader::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : found->second;
}

bool Reader::targets(std::string_view path) const {
  const std::vector<std::string> paths = paths_in_files(path);
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& one) { return rules_.targets(one); });
}

bool Reader::has_shape(const CheckpointFile::Tensor& stored, const std::vector<int64_t>& expected) {
  if (stored.shape == expected) return true;
  shapes_.add(fmt::format("'{}' is [{}], must be [{}]", printable(stored.name), fmt::join(stored.shape, ", "),
                          fmt::join(expected, ", ")));
  return false;
}

void Reader::sort_in(const CheckpointFile::Tensor& stored) {
  std::string_view path = stored.name;
  if (!path.starts_with(kPrefix)) return unknown_.add(printable(stored.name));
  path.remove_prefix(kPrefix.size());
  for (const auto& [suffix, part] : kParts) {
    if (!path.ends_with(suffix)) continue;
    const auto tensor = find(std::string(path.substr(0, path.size() - suffix.size())) + ".weight");
    if (!tensor || tensor->linear < 0) return unknown_.add(printable(stored.name));
    return put_part(stored, part, *tensor);
  }
  const auto tensor = find(path);
  if (!tensor) return unknown_.add(printable(stored.name));
  put_saved(stored, tensor);
}

void Reader::put_part(const CheckpointFile::Tensor& stored, Part part, const ModelTensor& tensor) {
  const std::string_view path = module_path(tensor.name);
  if (!targets(path) || (part == Part::kMagnitude && !config_.use_dora)) return uncalled_.add(printable(stored.name));
  const int64_t rank = rules_.rank(path);
  LowRank& low_rank = low_ranks_[tensor.linear];
  low_rank.scale = rules_.scale(path);
  low_rank.dropout = static_cast<float>(config_.dropout);
  Parameter value;
  if (part == Part::kMagnitude) {
    if (low_rank.magnitude) return twice_.add(printable(stored.name));
    if (!has_shape(stored, {tensor.weight.out()})) return;
    low_rank.magnitude = Parameter{peft_key(path, "lora_magnitude_vector"), stored_values(*file_, stored), {}};
    return;
  }
  Parameter& factor = part == Part::kA ? low_rank.a : low_rank.b;
  if (factor.value.defined()) return twice_.add(printable(stored.name));
  const bool is_a = part == Part::kA;
  if (!has_shape(stored, is_a ? std::vector{rank, tensor.weight.in()} : std::vector{tensor.weight.out(), rank})) return;
  factor = {peft_key(path, is_a ? "lora_A.weight" : "lora_B.weight"), stored_values(*file_, stored), {}};
}

void Reader::put_saved(const CheckpointFile::Tensor& stored, const std::shared_ptr<ModelTensor>& tensor) {
  if (saved_tensors(config_.modules_to_save, {&tensor, 1}).empty()) return uncalled_.add(printable(stored.name));
  if (saved_.contains(tensor.get())) return twice_.add(printable(stored.name));
  const bool turned = lies_transposed(config_, *tensor);
  const Shape shape = shape_of(*tensor);
  std::vector<int64_t> expected = {shape[0]};
  if (shape.rank() == 2) expected.insert(turned ? expected.begin() : expected.end(), shape[1]);
  if (!has_shape(stored, expected)) return;
  saved_[tensor.get()] = {tensor, from_checkpoint(config_, *tensor, stored_values(*file_, stored))};
}

// What the config calls for and the file has not.
void Reader::look_for_gaps() {
  const auto need = [&](bool there, const std::string& name) {
    if (!there) missing_.add(name);
  };
  for (const std::shared_ptr<ModelTensor>& tensor : tensors_) {
    const std::string_view path = module_path(tensor->name);
    if (tensor->linear < 0 || !targets(path)) continue;
    const LowRank& low_rank = low_ranks_[tensor->linear];
    need(low_rank.a.value.defined(), peft_key(path, "lora_A.weight"));
    need(low_rank.b.value.defined(), peft_key(path, "lora_B.weight"));
    need(low_rank.magnitude.has_value() || !config_.use_dora, peft_key(path, "lora_magnitude_vector"));
  }
  for (const auto& tensor : saved_tensors(config_.modules_to_save, tensors_))
    need(saved_.contains(tensor.get()), "base_model.model." + tensor->name);
  if (low_ranks_.empty() && saved_.empty()) missing_.add("any tensor");
}

void Reader::refuse_misfits() const {
  std::string problems;
  for (const Misfits* misfits : {&unknown_, &shapes_, &uncalled_, &twice_, &missing_}) {
    if (misfits->count == 0) continue;
    problems += problems.empty() ? "" : "; ";
    problems += misfits == &missing_ ? fmt::format("{} {} (first: {})", misfits->count, misfits->what, misfits->first)
                                     : fmt::format("{} of {} tensors {} (first: {})", misfits->count, num_stored_,
                                                   misfits->what, misfits->first);
  }
  if (problems.empty()) return;
  const std::string base = config_.base_model_name_or_path.empty()
                               ? "an unnamed base"
                               : "'" + printable(config_.base_model_name_or_path) + "'";
  throw invalid_argument("{}: adapter does not fit the model: {}; it was trained on {}", file_->name(), problems, base);
}

PeftAdapter Reader::read() {
  file_ = open_adapter_tensors(directory_);
  num_stored_ = file_->tensors().size();
  for (const CheckpointFile::Tensor& stored : file_->tensors()) sort_in(stored);
  look_for_gaps();
  refuse_misfits();

  PeftAdapter result{std::move(config_), std::make_shared<Adapter>(), nullptr, {}};
  result.adapter->name = directory_.filename().string();
  for (auto& [id, low_rank] : low_ranks_) {
    result.adapter->low_ranks.resize(id + 1);
    result.adapter->low_ranks[id] = std::make_unique<LowRank>(std::move(low_rank));
  }
  for (const std::shared_ptr<ModelTensor>& tensor : tensors_) {
    if (saved_.contains(tensor.get())) result.saved.push_back(std::move(saved_[tensor.get()]));
  }
  if (result.config.pissa_iterations)
    result.taken = principal_part(*result.adapter, tensors_, *result.config.pissa_iterations);
  return result;
}

}  // namespace

std::shared_ptr<const CheckpointFile> open_adapter_tensors(const std::filesystem::path& directory) {
  const std::filesystem::path safetensors = directory / "adapter_model.safetensors";
  const std::filesystem::path bin = directory / "adapter_model.bin";
  if (std::filesystem::exists(safetensors)) return SafetensorsFile::open(safetensors);
  if (std::filesystem::exists(bin)) return TorchBinFile::open(bin);
  throw not_found("{}: has neither adapter_model.safetensors nor adapter_model.bin", directory.string());
}

PeftAdapter read_adapter(const std::filesystem::path& directory, ModelTensors tensors) {
  return Reader(directory, tensors).read();
}

}  // namespace hearth
