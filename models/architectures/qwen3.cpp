// Qwen3: a llama that normalises every head of q and k before it rotates them (transformers' Qwen3ForCausalLM).
#include "models/architectures/llama.h"
#include "models/architectures/qwen2.h"
#include "models/config_reader.h"
#include "models/model_config.h"
#include "models/registry.h"

namespace hearth {
namespace {

class Qwen3Layer : public LlamaLayer {
 public:
  Qwen3Layer(const ModelConfig& c, std::shared_ptr<const Rope> rope, const std::string& name, LayerLoader& load)
      : LlamaLayer(c, std::move(rope), name, load),
        q_norm_(load.rms_norm(name + "self_attn.q_norm", c.head_dim, c.rms_norm_eps)),
        k_norm_(load.rms_norm(name + "self_attn.k_norm", c.head_dim, c.rms_norm_eps)) {}

 private:
  void prepare(Tensor& q, Tensor& k) const override {
    q = q_norm_(q);
    k = k_norm_(k);
  }

  RmsNorm q_norm_, k_norm_;
};

void configure(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultHeadDim = 128;  // whatever hidden_size is
  if (!json.has("head_dim")) config.head_dim = kDefaultHeadDim;
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  read_qwen_window(json, config);
}

}  // namespace

constinit const Architecture kQwen3 = {"qwen3", "Qwen3ForCausalLM", false, configure, make_decoder<Qwen3Layer>};

}  // namespace hearth
