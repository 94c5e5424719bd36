#include "finetune/export/export_model.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "finetune/export/checkpoint_as_gguf.h"
#include "finetune/export/export_directory.h"
#include "finetune/export/exported_chat.h"
#include "finetune/export/write_checkpoint.h"
#include "finetune/export/write_gguf_export.h"
#include "finetune/export/write_small_files.h"
#include "finetune/spec/trained_chat.h"
#include "models/adapters/value_head.h"
#include "models/arranged_weights.h"
#include "models/model_config.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/gguf.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBytesOfExportSize = 1'000'000'000;

struct Base {
  fs::path path;
  std::shared_ptr<const GgufFile> gguf;  // null: a Hugging Face directory
  LoadedModel loaded;
  WeightSource source;
};

// A GGUF file stays one, and not every key is of both.
void check_format(const ExportSpec& spec, const fs::path& path) {
  if (fs::is_directory(path)) return;
  if (spec.format == ExportFormat::kSafetensors)
    throw invalid_argument(
        "{} is a GGUF file, of which no Hugging Face checkpoint can be written: use export_format: "
        "gguf",
        path.string());
  if (spec.dtype)
    throw invalid_argument(
        "{} is a GGUF file, and 'infer_dtype' is not of those: use export_quantization: f32, f16 "
        "or bf16",
        path.string());
}

Base open_base(const ExportSpec& spec) {
  const fs::path path = resolve_model(spec.model_name_or_path);
  check_format(spec, path);
  const bool is_directory = fs::is_directory(path);
  // In exact f32 the weights stay mapped as they are.
  LoadedModel loaded = load_model(path, {.compute_dtype = ComputeDtype::kFloat32, .chat = spec.chat});
  const bool becomes_gguf = spec.format == ExportFormat::kGguf || spec.quantization;
  if (loaded.pictures && becomes_gguf)
    throw invalid_argument("{}: a model that reads images cannot become a GGUF file; use export_format: safetensors",
                           path.string());
  if (is_directory) {
    const ModelConfig config = read_model_config(path / "config.json");
    return {path, nullptr, std::move(loaded), arranged_weights(path, config)};
  }
  std::shared_ptr<const GgufFile> gguf = GgufFile::open(path);
  const ModelConfig config = read_model_config(*gguf);
  WeightSource source = arranged_weights(gguf, config);
  return {path, std::move(gguf), std::move(loaded), std::move(source)};
}

// "Qwen/Qwen3-0.6B@main" and "models/Qwen3-0.6B/" -> "Qwen3-0.6B"
std::string name_of_model(const std::string& reference) {
  const fs::path path(reference);
  const std::string name = (path.has_filename() ? path : path.parent_path()).filename().string();
  return name.substr(0, name.find('@'));
}

void copy_value_head(const Base& base, std::span<const fs::path> adapters, const fs::path& directory) {
  const fs::path& place = value_head_place(base.path, adapters);
  if (fs::is_directory(place) && has_value_head(place))
    write_value_head(directory, read_value_head(place, *base.loaded.model));
}

ExportResult result_of(const fs::path& directory) {
  ExportResult result{fs::absolute(directory).lexically_normal(), {}, 0};
  for (const fs::directory_entry& file : fs::directory_iterator(directory)) {
    result.files.push_back(file.path().filename().string());
    result.bytes += file.file_size();
  }
  std::sort(result.files.begin(), result.files.end());
  return result;
}

}  // namespace

ExportResult export_model(const ExportSpec& spec, ExportMonitor& monitor) {
  ExportDirectory directory(spec.export_dir);
  Base base = open_base(spec);
  const std::vector<fs::path> adapters(spec.adapter_name_or_path.begin(), spec.adapter_name_or_path.end());
  for (const fs::path& adapter : adapters) chat_as_trained(adapter, adapter.string(), base.loaded);
  const ModelTensors tensors = base.loaded.model->tensors();
  const MergedModel merged(adapters, tensors);
  monitor.on_note(fmt::format("{}: {}", spec.model_name_or_path, base.loaded.description));
  const ExportedChat chat = exported_chat(base.loaded);
  for (const std::string& note : chat.notes) monitor.on_warning(note);
  std::optional<CheckpointAsGguf> as_gguf;
  if (!base.gguf && (spec.format == ExportFormat::kGguf || spec.quantization))
    as_gguf = checkpoint_as_gguf({base.path, name_of_model(spec.model_name_or_path)}, base.source, base.loaded, chat);
  const ChangedTensors changed(as_gguf ? as_gguf->plan.places : base.source, merged, tensors);

  if (base.gguf) {
    write_gguf_export(*base.gguf, changed, {spec.quantization, chat, *base.loaded.tokenizer}, directory, monitor);
  } else if (as_gguf) {
    for (const std::string& note : as_gguf->notes) monitor.on_warning(note);
    const GgufQuantization quantization = spec.quantization.value_or(GgufQuantization::kF16);
    if (!spec.quantization)
      monitor.on_note("the weights become f16; export_quantization names another type (f32, q8_0, q4_k_m ...)");
    write_gguf_export(*as_gguf, base.source, changed, {quantization, chat, *base.loaded.tokenizer}, directory, monitor);
  } else {
    write_checkpoint(base.path, changed, spec.dtype, static_cast<uint64_t>(spec.export_size) * kBytesOfExportSize,
                     directory, monitor);
    write_small_files(base.path, base.loaded, chat, spec.dtype, directory.path());
  }
  if (spec.is_reward_model) copy_value_head(base, adapters, directory.path());
  const std::string from = base.gguf || as_gguf ? fmt::format("./{}", kGgufFile) : ".";
  write_file_atomic(directory.path() / "Modelfile", fmt::format("FROM {}\n\n{}", from, chat.modelfile));
  write_file_atomic(directory.path() / kExportMark, spec.yaml);
  directory.put_in_place();
  return result_of(spec.export_dir);
}

}  // namespace hearth
