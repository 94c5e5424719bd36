#include "finetune/spec/export_spec.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/field_makers.h"
#include "finetune/spec/known_keys.h"
#include "finetune/spec/model_reference.h"
#include "finetune/spec/yaml_file.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr std::pair<std::string_view, GgufQuantization> kQuantizations[] = {
    {"f32", GgufQuantization::kF32},   {"f16", GgufQuantization::kF16},      {"bf16", GgufQuantization::kBf16},
    {"q8_0", GgufQuantization::kQ8_0}, {"q4_0", GgufQuantization::kQ4_0},    {"q4_1", GgufQuantization::kQ4_1},
    {"q6_k", GgufQuantization::kQ6_K}, {"q4_k_m", GgufQuantization::kQ4_K_M}};
constexpr std::pair<std::string_view, std::optional<ExportFormat>> kFormats[] = {
    {"safetensors", ExportFormat::kSafetensors}, {"gguf", ExportFormat::kGguf}};
constexpr std::pair<std::string_view, std::optional<Format>> kDtypes[] = {
    {"auto", std::nullopt}, {"float32", Format::kF32}, {"float16", Format::kF16}, {"bfloat16", Format::kBF16}};
constexpr int64_t kLargestShard = 1'000'000;  // 10^9 bytes

template <class E, size_t N>
E choice(const YamlEntry& entry, const std::pair<std::string_view, E> (&choices)[N]) {
  std::vector<std::string_view> names;
  for (const auto& one : choices) names.push_back(one.first);
  return choices[read_choice(entry, names)].second;
}

struct ExportReader {
  ExportSpec spec;
  std::string revision = "main";

  void read(const YamlEntry& entry) {
    if (read_chat_key(entry, spec.chat) || entry.is_null()) return;
    if (entry.key == "model_name_or_path") spec.model_name_or_path = yaml_string(entry);
    if (entry.key == "model_revision") revision = yaml_string(entry);
    if (entry.key == "adapter_name_or_path") spec.adapter_name_or_path = yaml_comma_list(entry);
    if (entry.key == "stage") spec.is_reward_model = yaml_string(entry) == "rm";
    if (entry.key == "export_dir") spec.export_dir = yaml_string(entry);
    if (entry.key == "export_size") spec.export_size = yaml_int(entry, 1, kLargestShard);
    if (entry.key == "infer_dtype") spec.dtype = choice(entry, kDtypes);
    if (entry.key == "export_format") spec.format = choice(entry, kFormats);
    if (entry.key == "export_quantization") spec.quantization = choice(entry, kQuantizations);
    if (entry.key == "export_device") {
      constexpr std::string_view kDevices[] = {"cpu", "auto"};
      read_choice(entry, kDevices);
    }
    if (entry.key == "export_legacy_format" && yaml_bool(entry))
      spec.warnings.push_back(
          fmt::format("{}: 'export_legacy_format' has no effect: weights are written as safetensors", entry.where));
  }
};

// What must hold between the keys. `name` is the file's.
void check(const ExportSpec& spec, std::string_view name) {
  for (const auto& [is_missing, key] : {std::pair(spec.model_name_or_path.empty(), "model_name_or_path"),
                                        std::pair(spec.export_dir.empty(), "export_dir")})
    if (is_missing) throw invalid_argument("{}: lacks '{}'", name, key);
  if (spec.quantization && spec.format == ExportFormat::kSafetensors)
    throw invalid_argument("{}: 'export_quantization' is of GGUF files: use export_format: gguf", name);
  if (spec.dtype && (spec.quantization || spec.format == ExportFormat::kGguf))
    throw invalid_argument("{}: 'infer_dtype' is not of GGUF files: use export_quantization: f32, f16 or bf16", name);
  check_chat_options(spec.chat, fmt::format("{}: ", name));
}

ExportSpec read_export_spec(const std::vector<YamlEntry>& entries, std::string_view name) {
  ExportReader reader;
  for (const YamlEntry& entry : used_entries(entries, &KnownKey::exporting, name, reader.spec.warnings))
    reader.read(entry);
  ExportSpec& spec = reader.spec;
  check(spec, name);
  spec.model_name_or_path = with_revision(spec.model_name_or_path, reader.revision);
  spec.yaml = yaml_text(entries);
  return std::move(spec);
}

}  // namespace

std::string_view name_of(GgufQuantization quantization) {
  return std::find_if(std::begin(kQuantizations), std::end(kQuantizations),
                      [&](const auto& one) { return one.second == quantization; })
      ->first;
}

ExportSpec load_export_spec(const std::filesystem::path& yaml, std::span<const std::string> overrides) {
  return read_export_spec(with_overrides(read_yaml_entries(yaml), overrides), yaml.string());
}

ExportSpec parse_export_spec(std::string_view text, std::string_view name, std::span<const std::string> overrides) {
  return read_export_spec(with_overrides(parse_yaml_entries(text, name), overrides), name);
}

}  // namespace hearth
