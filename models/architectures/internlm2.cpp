// InternLM2 and 2.5: a llama with names of its own and q, k and v in one matrix, grouped by key-value head (arXiv
// 2403.17297; its modeling_internlm2.py). GGUF files have them apart.
#include <memory>

#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/registry.h"

namespace hearth {
namespace {

struct Rename {
  std::string_view from, to;
};
constexpr Rename kRenames[] = {
    {"model.tok_embeddings.", "model.embed_tokens."}, {"output.", "lm_head."},
    {".attention.wo.", ".self_attn.o_proj."},         {".feed_forward.w1.", ".mlp.gate_proj."},
    {".feed_forward.w2.", ".mlp.down_proj."},         {".feed_forward.w3.", ".mlp.up_proj."},
    {".attention_norm.", ".input_layernorm."},        {".ffn_norm.", ".post_attention_layernorm."}};

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("bias").value_or(false);
}

// Rows of wqkv: for every key-value head its q heads, its k and its v.
void split_qkv(WeightSource& source, const std::string& name, const ModelConfig& c) {
  constexpr std::string_view kPart = ".attention.wqkv.";
  const size_t at = name.find(kPart);
  if (at == std::string::npos) return;
  const int64_t q_rows = int64_t{c.num_attention_heads / c.num_key_value_heads} * c.head_dim;
  const int64_t group_rows = q_rows + 2 * c.head_dim;
  const auto take = [&](const char* part, int64_t begin, int64_t rows) {
    auto order = std::make_shared<RowOrder>();
    order->file_rows = c.num_key_value_heads * group_rows;
    for (int64_t group = 0; group < c.num_key_value_heads; ++group)
      for (int64_t i = 0; i < rows; ++i) order->rows.push_back(group * group_rows + begin + i);
    source.take_rows(name, name.substr(0, at) + ".self_attn." + part + "." + name.substr(at + kPart.size()), order);
  };
  take("q_proj", 0, q_rows);
  take("k_proj", q_rows, c.head_dim);
  take("v_proj", q_rows + c.head_dim, c.head_dim);
  source.drop(name);
}

void arrange(WeightSource& source, const ModelConfig& config) {
  for (const std::string& name : source.names()) {
    split_qkv(source, name, config);
    for (const Rename& rename : kRenames) {
      const size_t at = name.find(rename.from);
      if (at != std::string::npos && (rename.from.front() == '.' || at == 0))
        source.rename(name, name.substr(0, at) + std::string(rename.to) + name.substr(at + rename.from.size()));
    }
  }
}

}  // namespace

constinit const Architecture kInternLm2 = {.name = "internlm2",
                                           .hugging_face = "InternLM2ForCausalLM",
                                           .configure = configure,
                                           .make_layer = make_llama_layer,
                                           .arrange = arrange,
                                           .gguf = {.name = "internlm2", .restore = restore_interleaved_heads}};

}  // namespace hearth
