#include "finetune/trainer/full_trainable.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <functional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/ranges.h>

#include "finetune/trainer/frozen_parts.h"
#include "models/adapters/layout.h"
#include "models/resolver.h"
#include "models/small_files.h"
#include "models/vision/picture_reader.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/safetensors_writer.h"
#include "runtime/io/torch_bin.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

using Tensors = std::span<const std::shared_ptr<ModelTensor>>;

constexpr const char* kWeights = "model.safetensors";

// "model.layers.12.mlp.up_proj.weight" -> 12; -1: of no layer
int layer_of(std::string_view name) {
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (!part.empty() && part.size() < 9 &&
        std::all_of(part.begin(), part.end(), [](char c) { return std::isdigit(c); }))
      return std::stoi(std::string(part));
    begin = end + 1;
  }
  return -1;
}

// What freeze_trainable_modules may name: "mlp" of "model.layers.12.mlp.up_proj.weight".
std::string module_in_layer(std::string_view name) {
  const std::string number = "." + std::to_string(layer_of(name)) + ".";
  const std::string_view rest = name.substr(name.find(number) + number.size());
  return std::string(rest.substr(0, rest.find('.')));
}

// "embed_tokens" of "model.embed_tokens.weight".
std::string module_outside(std::string_view name) {
  const std::string_view path = name.substr(0, name.rfind('.'));
  return std::string(path.substr(path.rfind('.') + 1));
}

void check_names(const char* key, const std::vector<std::string>& wanted, const std::set<std::string>& known) {
  for (const std::string& name : wanted)
    if (name != "all" && !known.contains(name))
      throw invalid_argument("{}: the model has no module '{}'{}; it has {}", key, name, did_you_mean(name, known),
                             fmt::join(known, ", "));
}

// LLaMA-Factory's _setup_freeze_tuning: some modules of the last layers (or, below 0, of the first), and others.
// What `always` picks is trained too.
std::vector<std::shared_ptr<ModelTensor>> unfrozen(const FreezeSpec& freeze, Tensors tensors, int num_layers,
                                                   const std::function<bool(const std::string&)>& always) {
  std::set<std::string> inside, outside;
  for (const auto& tensor : tensors)
    layer_of(tensor->name) < 0 ? outside.insert(module_outside(tensor->name))
                               : inside.insert(module_in_layer(tensor->name));
  check_names("freeze_trainable_modules", freeze.trainable_modules, inside);
  check_names("freeze_extra_modules", freeze.extra_modules, outside);
  const int count = freeze.trainable_layers;
  if (count == 0 || std::abs(count) > num_layers)
    throw invalid_argument("freeze_trainable_layers is {}, must be 1 to {} (the last layers) or -1 to -{} (the first)",
                           count, num_layers, num_layers);
  const int first = count > 0 ? num_layers - count : 0, end = count > 0 ? num_layers : -count;
  const auto names = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one == "all" || one == name; }) !=
           list.end();
  };
  std::vector<std::shared_ptr<ModelTensor>> chosen;
  for (const auto& tensor : tensors) {
    const int layer = layer_of(tensor->name);
    const bool is_chosen =
        layer < 0 ? names(freeze.extra_modules, module_outside(tensor->name))
                  : layer >= first && layer < end && names(freeze.trainable_modules, module_in_layer(tensor->name));
    if (is_chosen || always(tensor->name)) chosen.push_back(tensor);
  }
  return chosen;
}

CheckpointFiles open_weights(const fs::path& directory) {
  if (has_checkpoint(directory, kWeights)) return open_safetensors(directory);
  return open_torch_bin(directory);
}

class FullTrainable : public Trainable {
 public:
  // `vision`: of a model that sees, else null.
  FullTrainable(std::vector<std::shared_ptr<ModelTensor>> chosen, Tensors all, fs::path source,
                const VisionConfig* vision)
      : chosen_(std::move(chosen)), all_(all), source_(std::move(source)), files_(open_weights(source_)) {
    // Of the models that hearth has, GPT-2's matrices alone lie [in, out].
    layout_.fan_in_fan_out = std::any_of(all.begin(), all.end(), [](const auto& tensor) {
      return tensor->linear >= 0 && tensor->name.ends_with(".attn.c_attn.weight");
    });
    for (const auto& file : files_)
      for (const CheckpointFile::Tensor& stored : file->tensors())
        by_name_[vision ? name_here(*vision, stored.name) : stored.name] = &stored;
    for (const auto& tensor : chosen_) {
      find(*tensor);
      Tensor values = frozen_values(*tensor);
      Tensor gradient = Tensor::zeros(values.shape());
      tensor->trained = std::make_unique<Parameter>(Parameter{tensor->name, std::move(values), std::move(gradient)});
      parameters_.push_back(tensor->trained.get());
    }
  }

  const std::vector<Parameter*>& parameters() const override { return parameters_; }
  const Adapter* adapter() const override { return nullptr; }

  void save(const fs::path& directory) const override {
    std::unordered_map<const CheckpointFile::Tensor*, const ModelTensor*> trained;
    for (const auto& tensor : chosen_) trained[find(*tensor)] = tensor.get();
    std::vector<TensorToWrite> out;
    for (const auto& file : files_) {
      for (const CheckpointFile::Tensor& stored : file->tensors()) {
        const auto found = trained.find(&stored);
        out.push_back(found == trained.end() ? copy_of(stored)
                                             : TensorToWrite::f32(stored.name, to_file(*found->second)));
        out.back().shape = stored.shape;  // of a convolution: more dimensions than its matrix
      }
    }
    write_safetensors(directory / kWeights, std::move(out));
    for (const std::string_view name : kSmallFiles)
      if (fs::exists(source_ / name))
        fs::copy_file(source_ / name, directory / name, fs::copy_options::overwrite_existing);
  }

  void load(const fs::path& directory) override {
    const auto file = SafetensorsFile::open(directory / kWeights);
    for (const auto& tensor : chosen_) {
      const CheckpointFile::Tensor* here = find(*tensor);
      const CheckpointFile::Tensor* stored = file->tensor(here->name);
      Tensor values = to_file(*tensor);
      if (!stored || stored->dtype != "F32" || stored->bytes.size() != values.size() * sizeof(float))
        throw data_corruption("{}: has no F32 tensor '{}' of {} values", file->name(), here->name, values.size());
      std::memcpy(values.data(), stored->bytes.data(), stored->bytes.size());
      values = from_checkpoint(layout_, *tensor, values);
      std::copy_n(values.data(), values.size(), tensor->trained->value.data());
    }
  }

  std::string description() const override {
    int64_t trained = 0, all = 0;
    for (const Parameter* parameter : parameters_) trained += static_cast<int64_t>(parameter->value.size());
    for (const auto& tensor : all_) all += static_cast<int64_t>(shape_of(*tensor).size());
    return fmt::format("{} of {} tensors in full: {} of {} parameters are trained ({:.2f} %)", parameters_.size(),
                       all_.size(), trained, all, 100.0 * static_cast<double>(trained) / static_cast<double>(all));
  }

 private:
  // Where the checkpoint has it. GPT-2's older ones leave "transformer." out.
  const CheckpointFile::Tensor* find(const ModelTensor& tensor) const {
    constexpr std::string_view kOlder = "transformer.";
    for (const std::string& name :
         {tensor.name, tensor.name.substr(tensor.name.starts_with(kOlder) ? kOlder.size() : 0)}) {
      const auto found = by_name_.find(name);
      if (found != by_name_.end()) return found->second;
    }
    throw invalid_argument(
        "{}: '{}' cannot be trained in full, because its checkpoint has it in another arrangement; finetuning_type: "
        "lora trains this model",
        source_.string(), tensor.name);
  }

  Tensor to_file(const ModelTensor& tensor) const { return to_checkpoint(layout_, tensor, tensor.trained->value); }

  static TensorToWrite copy_of(const CheckpointFile::Tensor& stored) {
    return {.name = stored.name,
            .dtype = stored.dtype,
            .shape = stored.shape,
            .write = [bytes = stored.bytes](const TensorToWrite::Sink& sink) { sink(bytes); }};
  }

  std::vector<std::shared_ptr<ModelTensor>> chosen_;
  Tensors all_;
  fs::path source_;
  CheckpointFiles files_;
  AdapterConfig layout_;
  std::unordered_map<std::string, const CheckpointFile::Tensor*> by_name_;  // as the model calls them
  std::vector<Parameter*> parameters_;
};

}  // namespace

std::unique_ptr<Trainable> make_full_trainable(const TrainSpec& spec, const LoadedModel& loaded) {
  const fs::path source = resolve_model(spec.model_name_or_path);
  if (!fs::is_directory(source))
    throw invalid_argument(
        "finetuning_type: {} is a GGUF file, of which no Hugging Face checkpoint can be written; name a model "
        "directory, "
        "or train an adapter on it with finetuning_type: lora",
        source.string());
  const Tensors tensors = loaded.model->tensors();
  std::vector<std::shared_ptr<ModelTensor>> chosen(tensors.begin(), tensors.end());
  const VisionConfig* vision = loaded.pictures ? &loaded.pictures->config() : nullptr;
  if (spec.finetuning_type == FinetuningType::kFreeze)
    chosen = unfrozen(spec.freeze, tensors, loaded.model->dims().num_layers, [&](const std::string& name) {
      return vision && part_of(*vision, name) == ModelPart::kProjector;
    });
  if (vision)
    std::erase_if(chosen, [&](const auto& tensor) { return is_frozen(spec.frozen, part_of(*vision, tensor->name)); });
  if (chosen.empty()) throw invalid_argument("nothing is trained: the freeze_ keys leave no part of the model");
  return std::make_unique<FullTrainable>(std::move(chosen), tensors, source, vision);
}

}  // namespace hearth
