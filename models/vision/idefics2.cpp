// Idefics2 (arXiv 2405.02246): a picture of any size or its four quarters and itself, whose patches become a fixed
// number of rows of a mistral by attention of latent vectors to them (transformers' Idefics2ForConditionalGeneration).
#include <fmt/format.h>

#include "models/vision/patches.h"
#include "models/vision/vision_family.h"
#include "models/vision/vit.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr DecoderNames kTextNames = {
    .embedding = "model.text_model.embed_tokens", .layers = "model.text_model.layers", .norm = "model.text_model.norm"};
constexpr std::string_view kTower[] = {"vision_model"}, kProjector[] = {"connector"};

nlohmann::json text_config(const nlohmann::json& json) { return llama_text_config(json, "mistral"); }

void read_resampler(const ConfigReader& json, VisionConfig& config) {
  constexpr int64_t kMostLatents = 1 << 14, kWidestResamplerHead = 256;
  ModelConfig& c = config.resampler;
  c.hidden_size = json.integer("hidden_size", 1, kWidest).value_or(4096);
  c.num_hidden_layers = static_cast<int>(json.integer("resampler_depth", 1, kMostLayers).value_or(3));
  c.num_attention_heads = static_cast<int>(json.integer("resampler_n_heads", 1, kMostHeads).value_or(16));
  c.num_key_value_heads = static_cast<int>(json.integer("num_key_value_heads", 1, kMostHeads).value_or(4));
  c.head_dim = static_cast<int>(json.integer("resampler_head_dim", 1, kWidestResamplerHead).value_or(96));
  if (c.head_dim % 8 != 0 || c.num_attention_heads % c.num_key_value_heads != 0)
    throw invalid_argument(
        "{}: resampler_head_dim is {}, must be a multiple of 8; resampler_n_heads is {}, must be one of {} "
        "num_key_value_heads",
        json.place(), c.head_dim, c.num_attention_heads, c.num_key_value_heads);
  c.activation = read_activation(json, "hidden_act").value_or(Activation::kSilu);
  c.norm.eps = static_cast<float>(json.number("rms_norm_eps", kSmallestEps, kLargestEps).value_or(1e-6));
  c.is_causal = false;
  c.windows.assign(c.num_hidden_layers, 0);
  config.resampler_n_latents = static_cast<int>(json.integer("resampler_n_latents", 1, kMostLatents).value_or(64));
}

void configure(const ConfigReader& json, VisionConfig& config) {
  const auto tower = json.object("vision_config"), resampler = json.object("perceiver_config");
  if (!tower || !resampler)
    throw invalid_argument("{}: has no {}", json.place(), tower ? "perceiver_config" : "vision_config");
  config.tower = read_idefics_tower(*tower, 768, 12);
  config.tower_layers = config.tower.layers.num_hidden_layers;
  read_resampler(*resampler, config);
  config.image_token_id = static_cast<TokenId>(json.integer("image_token_id", 0, kMostTokens).value_or(32001));
}

// Tile by tile; where one ends the next begins.
std::vector<TokenId> tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer& tokenizer) {
  constexpr const char* kMark = "<fake_token_around_image>";
  const auto mark = tokenizer.token_id(kMark);
  if (!mark) throw invalid_argument("the model's tokenizer lacks the token '{}'", kMark);
  std::vector<TokenId> ids;
  for (const PixelTile& tile : image.tiles) {
    const PatchGrid grid = patch_grid(tile, config.tower.patch_size);
    if (grid.rows == 0 || grid.columns == 0)
      throw invalid_argument("the model's image processor makes a tile of {} x {} pixels, and a patch has {} x {}",
                             tile.shown_height, tile.shown_width, config.tower.patch_size, config.tower.patch_size);
    ids.push_back(*mark);
    ids.insert(ids.end(), config.resampler_n_latents, config.image_token_id);
  }
  ids.push_back(*mark);
  return ids;
}

// The rows of all tiles: those of each tile's patches, its latent vectors', and of both, one tile's behind the other's.
struct ResamplerRows {
  std::vector<int> context, latents;  // where they lie among both
  std::vector<ops::CrossSegment> segments;
  Batch of_latents, of_both;
};

ResamplerRows resampler_rows(std::span<const int> patches, int latents, const Adapter* adapter) {
  ResamplerRows rows;
  int begin = 0, key_begin = 0;
  for (const int count : patches) {
    const int end = begin + latents, key_end = key_begin + count + latents;
    for (int row = key_begin; row < key_end; ++row)
      (row < key_begin + count ? rows.context : rows.latents).push_back(row);
    rows.segments.push_back({begin, end, key_begin, key_end});
    begin = end;
    key_begin = key_end;
  }
  rows.of_latents.segments = {{.begin = 0, .end = begin, .adapter = adapter}};
  rows.of_both.segments = {{.begin = 0, .end = key_begin, .adapter = adapter}};
  return rows;
}

class ResamplerLayer {
 public:
  explicit ResamplerLayer(const LayerContext& at)
      : latents_norm_(at.norm("input_latents_norm")),
        context_norm_(at.norm("input_context_norm")),
        q_(at.linear("self_attn.q_proj", at.q_size(), at.config.hidden_size, false)),
        k_(at.linear("self_attn.k_proj", at.kv_size(), at.config.hidden_size, false)),
        v_(at.linear("self_attn.v_proj", at.kv_size(), at.config.hidden_size, false)),
        output_(at.linear("self_attn.o_proj", at.config.hidden_size, at.q_size(), false)),
        mlp_norm_(at.norm("post_attention_layernorm")),
        mlp_(gated_mlp(at)),
        spec_(at.attention_spec()) {}

  // context [patches, hidden_size], latents [tiles * latents, hidden_size] -> as latents
  Tensor operator()(const Tensor& latents, const Tensor& context, const ResamplerRows& rows) const {
    const Tensor queries = latents_norm_(latents), others = context_norm_(context);
    Tensor both({others.rows() + queries.rows(), others.dim(-1)});
    both = ops::replace_rows(ops::replace_rows(both, rows.context, others), rows.latents, queries);
    const std::array keys_and_values{&k_, &v_};
    const std::vector<Tensor> kv = project(both, keys_and_values, rows.of_both);
    const Tensor y = ops::cross_attention(q_(queries, rows.of_latents), kv[0], kv[1], rows.segments, spec_);
    const Tensor x = ops::add(latents, output_(y, rows.of_latents));
    return ops::add(x, (*mlp_)(mlp_norm_(x), rows.of_latents));
  }

 private:
  Norm latents_norm_, context_norm_;
  Linear q_, k_, v_, output_;
  Norm mlp_norm_;
  std::unique_ptr<const FeedForward> mlp_;
  ops::AttentionSpec spec_;
};

// perceiver_config goes by the text model where their widths differ.
ModelConfig resampler_of(const VisionConfig& config, const ModelConfig& text) {
  ModelConfig c = config.resampler;
  if (c.hidden_size != text.hidden_size) c.norm.eps = text.norm.eps;
  c.hidden_size = text.hidden_size;
  c.intermediate_size = 4 * c.hidden_size;
  return c;
}

class Idefics2 : public VisionModel {
 public:
  Idefics2(const VisionConfig& config, const ModelConfig& text, LayerLoader& load)
      : config_(config),
        tower_(config.tower, config.tower_layers, "model.vision_model.", load),
        projection_(make_projection(text, load)),
        latents_(
            load.rows("model.connector.perceiver_resampler.latents", config.resampler_n_latents, text.hidden_size)),
        resampler_(resampler_of(config, text)),
        norm_(load.norm("model.connector.perceiver_resampler.norm", text.hidden_size, resampler_.norm)) {
    for (int i = 0; i < resampler_.num_hidden_layers; ++i)
      layers_.emplace_back(
          LayerContext{resampler_, load, i, fmt::format("model.connector.perceiver_resampler.layers.{}.", i), nullptr});
  }

  Tensor see(const ProcessedImage& image, const Adapter* adapter) const override {
    return tower_(image.tiles, adapter);
  }

  Tensor project(const Tensor& seen, const ProcessedImage& image, const Adapter* adapter) const override {
    std::vector<int> patches, latents;
    for (const PixelTile& tile : image.tiles) {
      const PatchGrid grid = patch_grid(tile, config_.tower.patch_size);
      patches.push_back(grid.rows * grid.columns);
      for (int i = 0; i < config_.resampler_n_latents; ++i) latents.push_back(i);
    }
    Batch batch;
    batch.segments = {{.begin = 0, .end = static_cast<int>(seen.rows()), .adapter = adapter}};
    const Tensor context = projection_(seen, batch);
    const ResamplerRows rows = resampler_rows(patches, config_.resampler_n_latents, adapter);
    Tensor x = ops::gather_rows(current(*latents_), latents);
    for (const ResamplerLayer& layer : layers_) x = layer(x, context, rows);
    return norm_(x);
  }

 private:
  GatedMlp make_projection(const ModelConfig& text, LayerLoader& load) const {
    const std::string name = "model.connector.modality_projection.";
    const int64_t in = config_.tower.layers.hidden_size;
    return GatedMlp{load.linear(name + "gate_proj", text.intermediate_size, in),
                    load.linear(name + "up_proj", text.intermediate_size, in),
                    load.linear(name + "down_proj", text.hidden_size, text.intermediate_size), text.activation};
  }

  VisionConfig config_;
  Vit tower_;
  GatedMlp projection_;
  std::shared_ptr<const ModelTensor> latents_;  // [resampler_n_latents, hidden_size]
  ModelConfig resampler_;
  Norm norm_;
  std::vector<ResamplerLayer> layers_;
};

std::unique_ptr<const VisionModel> make(const VisionConfig& config, const ModelConfig& text, LayerLoader& load) {
  return std::make_unique<Idefics2>(config, text, load);
}

}  // namespace

constinit const VisionFamily kIdefics2 = {.name = "idefics2",
                                          .hugging_face = "Idefics2ForConditionalGeneration",
                                          .text_config = text_config,
                                          .configure = configure,
                                          .prefixes = {},
                                          .text_names = kTextNames,
                                          .tower = kTower,
                                          .projector = kProjector,
                                          .tokens = tokens,
                                          .make = make,
                                          .joins_pictures = true,
                                          .place = PicturePlace::kSpacedToken};

}  // namespace hearth
