// LLaVA 1.5 and 1.6 as their own code writes them (github.com/haotian-liu/LLaVA: LlavaLlamaForCausalLM and
// LlavaMistralForCausalLM): the text model's config with mm_* keys in it, and a tower that lies in a checkpoint of its
// own, which mm_vision_tower names, unless it was trained too. The tokenizer knows no picture.
#include <algorithm>
#include <string>

#include "models/hub_cache.h"
#include "models/vision/llava.h"
#include "runtime/base/error.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr TensorPrefix kPrefixes[] = {{"model.vision_tower.vision_tower.vision_model.", "model.vision_tower."},
                                      {"vision_model.", "model.vision_tower."},  // in the tower's own checkpoint
                                      {"model.mm_projector.0.", "model.multi_modal_projector.linear_1."},
                                      {"model.mm_projector.2.", "model.multi_modal_projector.linear_2."},
                                      {"model.embed_tokens.", "model.language_model.embed_tokens."},
                                      {"model.layers.", "model.language_model.layers."},
                                      {"model.norm.", "model.language_model.norm."}};

// Its conv_vicuna_v1 and conv_mistral_instruct; pictures come first, as its scripts have them.
#define HEARTH_LLAVA_CONTENT                                                                               \
  "{% if message.content is string %}{{ message.content }}{% else %}"                                      \
  "{% for part in message.content %}{% if part.type == 'image' %}{{ '<image>\n' }}{% endif %}{% endfor %}" \
  "{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
constexpr std::string_view kVicunaTemplate =
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ messages[0].content }}{% else %}{{ 'A chat between a "
    "curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers "
    "to the user\\'s questions.' }}{% endif %}{{ ' ' }}{% for message in messages %}{% if message.role == 'user' %}"
    "{{ 'USER: ' }}" HEARTH_LLAVA_CONTENT
    "{{ ' ' }}{% elif message.role == 'assistant' %}{{ 'ASSISTANT: ' + message.content + eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";
constexpr std::string_view kMistralTemplate =
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}{{ '[INST] ' }}"
    "{% if loop.index0 == 1 and messages[0].role == 'system' %}"
    "{{ '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' }}{% endif %}" HEARTH_LLAVA_CONTENT
    "{{ ' [/INST]' }}{% elif message.role == 'assistant' %}{{ ' ' + message.content + ' ' + eos_token }}{% endif %}"
    "{% endfor %}";
#undef HEARTH_LLAVA_CONTENT

// Empty when it is neither beside the model nor in the hub's cache.
fs::path tower_directory(const VisionConfig& config) {
  const fs::path directory = config.directory / config.mm_vision_tower;
  std::error_code ignored;
  if (fs::is_regular_file(directory / "config.json", ignored)) return directory;
  if (!is_hub_reference(config.mm_vision_tower)) return {};
  return hub_snapshot(parse_hub_reference(config.mm_vision_tower));
}

[[noreturn]] void refuse_without_tower(const VisionConfig& config) {
  const std::string pull =
      is_hub_reference(config.mm_vision_tower) ? fmt::format("`hearth pull {}`, or ", config.mm_vision_tower) : "";
  throw not_found("{}: its vision tower is the checkpoint '{}', which is not there: {}put it into {}",
                  (config.directory / "config.json").string(), printable(config.mm_vision_tower), pull,
                  (config.directory / config.mm_vision_tower).string());
}

// The tower's vision_config: its checkpoint's, or that of the two that LLaVA was made with.
nlohmann::json tower_config(const VisionConfig& config) {
  if (const fs::path directory = tower_directory(config); !directory.empty()) {
    nlohmann::json json = read_json_file(directory / "config.json");
    const auto part = json.find("vision_config");
    return json.is_object() && part != json.end() ? *part : json;
  }
  nlohmann::json large = {{"model_type", "clip_vision_model"}, {"hidden_size", 1024},       {"intermediate_size", 4096},
                          {"num_hidden_layers", 24},           {"num_attention_heads", 16}, {"patch_size", 14}};
  const std::string& name = config.mm_vision_tower;
  if (name.ends_with("clip-vit-large-patch14")) return large;
  large["image_size"] = 336;
  if (name.ends_with("clip-vit-large-patch14-336")) return large;
  refuse_without_tower(config);
}

void read_keys(const ConfigReader& json, VisionConfig& config) {
  const auto require = [&](const char* key, const std::string& found, std::initializer_list<std::string_view> known) {
    if (std::ranges::find(known, found) != known.end()) return;
    throw invalid_argument("{}: {} is '{}'; hearth has {}", json.place(), key, printable(found),
                           fmt::join(known, ", "));
  };
  config.mm_vision_tower = json.text("mm_vision_tower").value_or("");
  if (config.mm_vision_tower.empty()) throw invalid_argument("{}: has no mm_vision_tower", json.place());
  config.image_aspect_ratio = json.text("image_aspect_ratio").value_or("square");
  require("image_aspect_ratio", config.image_aspect_ratio, {"square", "pad", "anyres"});
  require("mm_projector_type", json.text("mm_projector_type").value_or("linear"), {"mlp2x_gelu"});
  if (config.image_aspect_ratio == "anyres")
    require("mm_patch_merge_type", json.text("mm_patch_merge_type").value_or("flat"), {"spatial_unpad"});
  const std::string feature = json.text("mm_vision_select_feature").value_or("patch");
  if (config.image_aspect_ratio == "anyres") require("mm_vision_select_feature", feature, {"patch"});
  require("mm_vision_select_feature", feature, {"patch", "cls_patch"});
  config.drops_class_token = feature == "patch";
  if (json.boolean("mm_use_im_start_end").value_or(false))
    throw invalid_argument("{}: mm_use_im_start_end is true, must be false", json.place());
}

void configure(const ConfigReader& json, VisionConfig& config) {
  read_keys(json, config);
  const nlohmann::json tower = tower_config(config);
  config.tower = read_tower_config(ConfigReader(tower, "vision tower '" + printable(config.mm_vision_tower) + "'"));
  config.drops_class_token = config.drops_class_token && config.tower.has_class_token;
  const int layers = config.tower.layers.num_hidden_layers;
  const auto layer = json.integer("mm_vision_select_layer", -layers - 1, layers).value_or(-2);
  config.tower_layers = static_cast<int>(layer < 0 ? layers + 1 + layer : layer);
}

nlohmann::json text_config(const nlohmann::json& json, const char* model_type) {
  nlohmann::json text = json;
  text["model_type"] = model_type;
  text.erase("architectures");
  return text;
}

// Of width and height, where transformers has height and width.
nlohmann::json transposed_pinpoints(const fs::path& config_json) {
  const nlohmann::json json = read_json_file(config_json);
  nlohmann::json pinpoints = nlohmann::json::array();
  const auto found = json.find("image_grid_pinpoints");
  if (found == json.end() || !found->is_array())
    throw invalid_argument("{}: image_grid_pinpoints is not a list, which 'anyres' needs", config_json.string());
  for (const nlohmann::json& size : *found) {
    if (!size.is_array() || size.size() != 2)
      throw invalid_argument("{}: image_grid_pinpoints has {}, must have [width, height]", config_json.string(),
                             printable(size.dump()));
    pinpoints.push_back({size[1], size[0]});
  }
  return pinpoints;
}

std::unique_ptr<const ImageProcessor> image_processor(const VisionConfig& config) {
  const fs::path directory = tower_directory(config), path = directory / "preprocessor_config.json";
  nlohmann::json json = {{"size", config.tower.image_size}, {"crop_size", config.tower.image_size}};
  if (!directory.empty()) json = read_json_file(path);
  if (!json.is_object()) throw data_corruption("{}: is no JSON object", path.string());
  json.emplace("image_processor_type", "CLIPImageProcessor");  // which older files do not say
  json["image_aspect_ratio"] = config.image_aspect_ratio;
  if (config.image_aspect_ratio == "anyres") {
    json["image_processor_type"] = "LlavaNextImageProcessor";
    json["image_grid_pinpoints"] = transposed_pinpoints(config.directory / "config.json");
  }
  return make_image_processor(json, path.string());
}

void complete(WeightSource& source, const VisionConfig& config) {
  if (config.image_aspect_ratio != "anyres") source.drop("model.image_newline");  // only tiles have it behind them
  const auto is_tower = [](const std::string& name) { return name.starts_with("model.vision_tower."); };
  if (std::ranges::any_of(source.names(), is_tower)) return;
  const fs::path directory = tower_directory(config);
  if (directory.empty()) refuse_without_tower(config);
  source.add_directory(directory, "vision_model.");
}

std::vector<TokenId> tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer& tokenizer) {
  const bool is_tiled = config.image_aspect_ratio == "anyres";
  return is_tiled ? llava_next_tokens(config, image, tokenizer) : llava_tokens(config, image, tokenizer);
}

std::unique_ptr<const VisionModel> make(const VisionConfig& config, const ModelConfig& text, LayerLoader& load) {
  const bool is_tiled = config.image_aspect_ratio == "anyres";
  return is_tiled ? make_llava_next(config, text, load) : make_llava(config, text, load);
}

constexpr VisionFamily family(std::string_view name, std::string_view hugging_face,
                              nlohmann::json (*text_config)(const nlohmann::json&), std::string_view chat_template) {
  return {.name = name,
          .hugging_face = hugging_face,
          .text_config = text_config,
          .configure = configure,
          .prefixes = kPrefixes,
          .text_names = kLlavaTextNames,
          .tower = kLlavaTower,
          .projector = kLlavaProjector,
          .tokens = tokens,
          .make = make,
          .place = PicturePlace::kText,
          .image_processor = image_processor,
          .complete = complete,
          .chat_template = chat_template};
}

}  // namespace

constinit const VisionFamily kLlavaLlama = family(
    "llava_llama", "LlavaLlamaForCausalLM", [](const nlohmann::json& json) { return text_config(json, "llama"); },
    kVicunaTemplate);
constinit const VisionFamily kLlavaMistral = family(
    "llava_mistral", "LlavaMistralForCausalLM", [](const nlohmann::json& json) { return text_config(json, "mistral"); },
    kMistralTemplate);

}  // namespace hearth
