#include "models/loader.h"

#include <algorithm>
#include <cmath>

#include "models/arranged_weights.h"
#include "models/config_reader.h"
#include "models/layers.h"
#include "models/model_config.h"
#include "models/named_template.h"
#include "models/registry.h"
#include "models/vision/picture_reader.h"
#include "models/vision/vision_family.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/io/gguf.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

std::string describe(const ModelConfig& config, const ModelDims& dims, const WeightSource& source) {
  const double millions = static_cast<double>(source.num_values()) / 1e6;
  const std::string size =
      millions < 1000 ? fmt::format("{:.1f} M", millions) : fmt::format("{:.2f} B", millions / 1000);
  return fmt::format("{}, {} parameters, {}, {} tokens", config.architecture, size, source.main_format(),
                     dims.max_positions);
}

// The layers of a tower that its model does not reach, and the norm behind them.
bool is_superfluous_to_tower(std::string_view name, const ModelConfig& config) {
  constexpr std::string_view kTower = "model.vision_tower.";
  if (!config.vision || !name.starts_with(kTower)) return false;
  name.remove_prefix(kTower.size());
  return name.starts_with("encoder.layers.") || name.starts_with("post_layernorm.") || name.starts_with("head.") ||
         name.ends_with("position_ids");
}

// -> its part that sees, or null
std::shared_ptr<const VisionModel> build_model(const ModelConfig& config, WeightSource& source,
                                               const LoadOptions& options, const std::string& place,
                                               LoadedModel& loaded) {
  const Architecture& architecture = find_architecture(config.architecture, place);
  LayerLoader load(source, options.compute_dtype);
  std::shared_ptr<const VisionModel> vision;
  DecoderNames names = architecture.names;
  if (config.vision) {
    const VisionFamily& family = *find_vision_family(config.vision->family);
    if (architecture.arrange || names.layers != DecoderNames().layers)
      throw invalid_argument("{}: a text model of architecture '{}' within a {} is not one that hearth has", place,
                             architecture.name, family.name);
    names = family.text_names;
    vision = family.make(*config.vision, config, load);
  }
  loaded.model = make_decoder(config, load, architecture.make_layer, names);
  for (const std::string& name : source.unused()) {
    if (!is_superfluous(name, config) && !is_superfluous_to_tower(name, config))
      throw invalid_argument(
          "{}: tensor '{}' is not part of a {} as the config describes it; without it the model would "
          "compute something else",
          place, printable(name), config.architecture);
  }
  loaded.description = describe(config, loaded.model->dims(), source);
  return vision;
}

// A template that cannot be read costs chat, not the model: plain completions still work.
void set_chat_template(const std::string& source, const std::string& place, LoadedModel& loaded) {
  const Tokenizer& tokenizer = *loaded.tokenizer;
  const auto text = [&](std::optional<TokenId> id) { return id ? tokenizer.token_text(*id) : std::string(); };
  try {
    loaded.chat_template = std::make_shared<ChatTemplate>(source, text(tokenizer.bos()), text(tokenizer.eos()));
  } catch (const Error& error) {
    log::warn("{}: the chat template is left out: {}", place, error.what());
  }
}

void add_stop_token(int64_t id, const ModelConfig& config, LoadedModel& loaded) {
  if (id < 0 || id >= config.vocab_size) return;  // -1 and ids of a larger vocabulary: never drawn
  std::vector<TokenId>& ids = loaded.stop_token_ids;
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(static_cast<TokenId>(id));
}

// The template in tokenizer_config.json: a text, or a list of named ones of which "default" is for chat.
std::optional<std::string> template_in_config(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_file(path);
  const auto found = json.is_object() ? json.find("chat_template") : json.end();
  if (found == json.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return std::nullopt;
  for (const nlohmann::json& entry : *found) {
    if (!entry.is_object()) continue;
    const ConfigReader reader(entry, path.string() + ": chat_template");
    if (reader.text("name") == "default") return reader.text("template");
  }
  return std::nullopt;
}

void read_chat_template(const std::filesystem::path& directory, LoadedModel& loaded) {
  const std::filesystem::path jinja = directory / "chat_template.jinja", config = directory / "tokenizer_config.json";
  if (std::filesystem::exists(jinja)) {
    set_chat_template(read_file(jinja), jinja.string(), loaded);
  } else if (std::filesystem::exists(config)) {
    if (const auto source = template_in_config(config)) set_chat_template(*source, config.string(), loaded);
  }
}

// eos_token_id is one id or a list.
void read_stop_tokens(const ConfigReader& reader, const ModelConfig& config, LoadedModel& loaded) {
  constexpr int64_t kLargestId = int64_t{1} << 31;
  for (const int64_t id : reader.integers("eos_token_id", -1, kLargestId)) add_stop_token(id, config, loaded);
}

// Out of range values are as wrong here as in a request.
void read_generation_defaults(const ConfigReader& config, GenerationDefaults& defaults) {
  const auto number = [&](const char* key, double most) -> std::optional<float> {
    const auto value = config.number(key, 0, most);
    return value ? std::optional(static_cast<float>(*value)) : std::nullopt;
  };
  constexpr double kLargest = 1e3;
  defaults.temperature = number("temperature", kLargest);
  defaults.top_p = number("top_p", 1);
  defaults.min_p = number("min_p", 1);
  defaults.typical_p = number("typical_p", 1);
  defaults.repetition_penalty = number("repetition_penalty", kLargest);
  if (const auto top_k = config.integer("top_k", -1, 1 << 30))
    defaults.top_k = static_cast<int>(std::max<int64_t>(*top_k, 0));
}

ModelConfig config_of_directory(const std::filesystem::path& directory) {
  const std::filesystem::path config = directory / "config.json";
  if (!std::filesystem::exists(config))
    throw not_found("{}: has no config.json; name a Hugging Face model directory or a .gguf file", directory.string());
  return read_model_config(config);
}

std::shared_ptr<const VisionModel> build_directory(const std::filesystem::path& directory, const ModelConfig& config,
                                                   const LoadOptions& options, LoadedModel& loaded) {
  WeightSource source = arranged_weights(directory, config);
  return build_model(config, source, options, directory.string(), loaded);
}

// Tokenizer, template, and what the files say of answers.
void read_directory(const std::filesystem::path& directory, const ModelConfig& config, LoadedModel& loaded) {
  loaded.tokenizer = load_tokenizer(directory);
  read_chat_template(directory, loaded);
  if (!loaded.chat_template && config.vision) {
    const std::string_view usual = find_vision_family(config.vision->family)->chat_template;
    if (!usual.empty()) set_chat_template(std::string(usual), directory.string(), loaded);
  }

  const std::filesystem::path generation_path = directory / "generation_config.json";
  if (std::filesystem::exists(generation_path)) {
    const nlohmann::json json = read_json_file(generation_path);
    const ConfigReader generation(json, generation_path.string());
    read_stop_tokens(generation, config, loaded);
    read_generation_defaults(generation, loaded.defaults);
  }
  const std::filesystem::path config_path = directory / "config.json";
  const nlohmann::json json = read_json_file(config_path);
  read_stop_tokens(ConfigReader(json, config_path.string()), config, loaded);
  if (const auto eos = loaded.tokenizer->eos()) add_stop_token(*eos, config, loaded);
}

std::shared_ptr<const VisionModel> build_gguf(const std::shared_ptr<const GgufFile>& gguf, const ModelConfig& config,
                                              const LoadOptions& options, LoadedModel& loaded) {
  WeightSource source = arranged_weights(gguf, config);
  return build_model(config, source, options, gguf->name(), loaded);
}

void read_gguf(const GgufFile& gguf, const ModelConfig& config, LoadedModel& loaded) {
  loaded.tokenizer = load_tokenizer(gguf);
  if (const auto text = gguf.string("tokenizer.chat_template"))
    set_chat_template(std::string(*text), gguf.name(), loaded);

  for (const char* kind : {"eos", "eot", "eom"}) {
    if (const auto id = gguf.integer(fmt::format("tokenizer.ggml.{}_token_id", kind)))
      add_stop_token(*id, config, loaded);
  }
  if (const auto eos = loaded.tokenizer->eos()) add_stop_token(*eos, config, loaded);
  const auto number = [&](const char* key) -> std::optional<float> {
    const auto value = gguf.number(std::string("general.sampling.") + key);
    return value && *value >= 0 && std::isfinite(*value) ? std::optional(static_cast<float>(*value)) : std::nullopt;
  };
  loaded.defaults.temperature = number("temp");
  loaded.defaults.top_p = number("top_p");
  loaded.defaults.min_p = number("min_p");
  loaded.defaults.repetition_penalty = number("penalty_repeat");
  if (const auto top_k = gguf.integer("general.sampling.top_k"))
    loaded.defaults.top_k = static_cast<int>(std::clamp<int64_t>(*top_k, 0, 1 << 30));
}

// `build`: how the weights come in; null: not at all.
LoadedModel load(const std::filesystem::path& path, const ChatOptions& chat, const LoadOptions* build) {
  const bool is_directory = std::filesystem::is_directory(path);
  if (!is_directory && !std::filesystem::exists(path)) throw not_found("{}: no such file or directory", path.string());
  if (!is_directory && path.extension() != ".gguf")
    throw invalid_argument("{}: is neither a model directory nor a .gguf file", path.string());
  LoadedModel loaded;
  const std::shared_ptr<const GgufFile> gguf = is_directory ? nullptr : GgufFile::open(path);
  const ModelConfig config = gguf ? read_model_config(*gguf) : config_of_directory(path);
  loaded.architecture = config.architecture;
  std::shared_ptr<const VisionModel> vision;
  if (build) vision = gguf ? build_gguf(gguf, config, *build, loaded) : build_directory(path, config, *build, loaded);
  gguf ? read_gguf(*gguf, config, loaded) : read_directory(path, config, loaded);
  if (config.vision)
    loaded.pictures = std::make_shared<PictureReader>(config.vision, load_image_processor(*config.vision),
                                                      loaded.tokenizer, std::move(vision));
  loaded.chat = chat;
  if (!chat.template_name.empty()) use_named_template(path.string(), config.vocab_size, loaded);
  return loaded;
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path, const LoadOptions& options) {
  LoadedModel loaded = load(path, options.chat, &options);
  warn_of_difference(path.string(), loaded);
  return loaded;
}

LoadedModel load_without_weights(const std::filesystem::path& path, const ChatOptions& chat) {
  return load(path, chat, nullptr);
}

}  // namespace hearth
