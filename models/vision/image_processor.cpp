#include "models/vision/image_processor.h"

#include <array>
#include <string>
#include <string_view>

#include "models/vision/processor_kinds.h"
#include "runtime/base/error.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

struct Kind {
  std::string_view type;
  std::unique_ptr<const ImageProcessor> (*make)(const ProcessorConfig& config);
};
constexpr std::array kKinds = {
    Kind{"CLIPImageProcessor", clip_processor},         Kind{"SiglipImageProcessor", siglip_processor},
    Kind{"LlavaImageProcessor", llava_processor},       Kind{"LlavaNextImageProcessor", llava_next_processor},
    Kind{"Qwen2VLImageProcessor", qwen2_vl_processor},  Kind{"Idefics2ImageProcessor", idefics2_processor},
    Kind{"Idefics3ImageProcessor", idefics3_processor}, Kind{"SmolVLMImageProcessor", idefics3_processor},
};

}  // namespace

std::unique_ptr<const ImageProcessor> make_image_processor(const nlohmann::json& json, const std::string& place) {
  const ProcessorConfig config(json, place);
  const auto type = config.keys.text("image_processor_type");
  if (!type) throw invalid_argument("{}: has no image_processor_type", place);
  std::string_view name = *type;
  for (const std::string_view suffix : {"Fast", "Pil"})  // the same processor by other libraries
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.type == name) return kind.make(config);
    known += (known.empty() ? "" : ", ") + std::string(kind.type);
  }
  throw invalid_argument("{}: image_processor_type '{}' is not one that hearth has; it has {}", place, printable(*type),
                         known);
}

std::unique_ptr<const ImageProcessor> load_image_processor(const std::filesystem::path& directory) {
  const std::filesystem::path whole = directory / "processor_config.json";
  if (std::filesystem::exists(whole)) {
    const nlohmann::json json = read_json_file(whole);
    if (json.is_object() && json.contains("image_processor"))
      return make_image_processor(json.at("image_processor"), whole.string() + ": image_processor");
  }
  const std::filesystem::path path = directory / "preprocessor_config.json";
  return make_image_processor(read_json_file(path), path.string());
}

}  // namespace hearth
