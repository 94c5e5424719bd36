"""What llama.cpp's converter (conversion/*.py of October 2026) makes of a Hugging Face checkpoint: metadata keys and rearranged tensors, one rule per architecture.

Every function names the converter's class that it follows. `config` is what transformers makes of config.json, as in the converter (AutoConfig(...).to_dict());
`weights` are the checkpoint's tensors under the names in the file.
"""

import math
import re
from typing import Callable, Iterator, NamedTuple

import gguf
import torch

Weights = dict[str, torch.Tensor]
Writer = gguf.GGUFWriter


def first(config: dict, *names: str):
    """The converter's find_hparam: the first of the names that the configuration has."""
    return next((config[name] for name in names if config.get(name) is not None), None)


def rope_of(config: dict) -> dict:
    """TextModel.__init__: the spellings of transformers 4 mirrored into rope_parameters."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    for key, names in {"rope_theta": ("rope_theta", "rotary_emb_base"), "rope_type": (), "partial_rotary_factor": ("partial_rotary_factor", "rope_pct"),
                       "original_max_position_embeddings": ("original_max_position_embeddings",)}.items():
        value = rope.get("type") if key == "rope_type" else first(config, *names)
        if value is not None and "full_attention" not in rope:
            rope.setdefault(key, value)
    return rope


def text_model(writer: Writer, config: dict):
    """TextModel.set_gguf_parameters."""
    rope = rope_of(config)
    full = rope.get("full_attention", rope)
    for add, value in [
        (writer.add_block_count, first(config, "num_hidden_layers")),
        (writer.add_context_length, first(config, "max_position_embeddings")),
        (writer.add_embedding_length, first(config, "hidden_size")),
        (writer.add_feed_forward_length, first(config, "intermediate_size")),
        (writer.add_head_count, first(config, "num_attention_heads")),
        (writer.add_head_count_kv, first(config, "num_key_value_heads")),
        (writer.add_rope_freq_base, full.get("rope_theta")),
        (writer.add_rope_freq_base_swa, rope.get("sliding_attention", {}).get("rope_theta")),
        (writer.add_layer_norm_rms_eps, first(config, "rms_norm_eps")),
        (writer.add_layer_norm_eps, first(config, "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")),
        (writer.add_expert_count, first(config, "num_local_experts", "num_experts", "n_routed_experts")),
        (writer.add_expert_used_count, first(config, "num_experts_per_tok")),
        (writer.add_expert_group_count, first(config, "n_group")),
        (writer.add_expert_group_used_count, first(config, "topk_group")),
        (writer.add_expert_gating_func, {"softmax": gguf.ExpertGatingFuncType.SOFTMAX, "sigmoid": gguf.ExpertGatingFuncType.SIGMOID}.get(
            config.get("scoring_func"))),
        (writer.add_key_length, first(config, "head_dim")),
        (writer.add_value_length, first(config, "head_dim")),
    ]:
        if value is not None:
            add(value)
    kind = full.get("rope_type")
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(full["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(full["original_max_position_embeddings"])
        for add, key in [(writer.add_rope_scaling_yarn_attn_factor, "attention_factor"), (writer.add_rope_scaling_yarn_beta_fast, "beta_fast"),
                         (writer.add_rope_scaling_yarn_beta_slow, "beta_slow")]:
            if full.get(key) is not None:
                add(full[key])


def head_size(config: dict) -> int:
    return first(config, "head_dim") or config["hidden_size"] // config["num_attention_heads"]


def llama(writer: Writer, config: dict):
    """LlamaModel."""
    text_model(writer, config)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(head_size(config))


def granite(writer: Writer, config: dict):
    """GraniteModel: no head_dim; the multipliers are called scales."""
    llama(writer, {key: value for key, value in config.items() if key != "head_dim"})
    writer.add_attention_scale(config["attention_multiplier"])
    writer.add_embedding_scale(config["embedding_multiplier"])
    writer.add_residual_scale(config["residual_multiplier"])
    writer.add_logit_scale(config["logits_scaling"])


def qwen_moe(writer: Writer, config: dict):
    """Qwen2MoeModel, also for Qwen3MoE."""
    text_model(writer, config)
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    if config.get("shared_expert_intermediate_size") is not None:
        writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])


def gemma(writer: Writer, config: dict):
    """GemmaModel: no base of the rotation is written."""
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])


def gemma2(writer: Writer, config: dict):
    """Gemma2Model."""
    gemma(writer, config)
    writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
    writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    writer.add_sliding_window(config["sliding_window"])


def gemma3(writer: Writer, config: dict):
    """Gemma3Model: that every sixth layer is full goes without saying."""
    text_model(writer, config)
    if config.get("final_logit_softcapping"):
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    writer.add_sliding_window(config["sliding_window"])


def phi3(writer: Writer, config: dict):
    """Phi3MiniModel."""
    rope = rope_of(config)
    longest, original = config["max_position_embeddings"], rope["original_max_position_embeddings"]
    writer.add_context_length(longest)
    writer.add_rope_scaling_orig_ctx_len(original)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(int(rope["partial_rotary_factor"] * config["hidden_size"]) // config["num_attention_heads"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_sliding_window(config.get("sliding_window") or 0)
    if rope.get("long_factor"):
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(longest / original) / math.log(original)))


def gpt2(writer: Writer, config: dict):
    """GPT2Model. Its n_ctx is in the hub's config.json only."""
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_ctx"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def gpt_neox(writer: Writer, config: dict):
    """GPTNeoXModel."""
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_rope_dimension_count(int(rope_of(config)["partial_rotary_factor"] * head_size(config)))
    writer.add_head_count(config["num_attention_heads"])
    writer.add_parallel_residual(config["use_parallel_residual"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])


def falcon_kv_heads(config: dict) -> int:
    return config["num_kv_heads"] if config["new_decoder_architecture"] else 1


def falcon(writer: Writer, config: dict):
    """FalconModel, as it was when num_kv_heads was not yet in the 7B's configuration."""
    writer.add_context_length(2048)
    writer.add_tensor_data_layout("jploski")
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(4 * config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(falcon_kv_heads(config))
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def command_r(writer: Writer, config: dict):
    """CommandR2Model."""
    text_model(writer, config)
    writer.add_logit_scale(config["logit_scale"])
    writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)


def stablelm(writer: Writer, config: dict):
    """StableLMModel."""
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_rope_dimension_count(int(rope_of(config)["partial_rotary_factor"] * head_size(config)))
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_parallel_residual(config["use_parallel_residual"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])


def chatglm(writer: Writer, config: dict):
    """ChatGLMModel, which reads its own names only: of a GlmForCausalLM the context, the epsilon and the base are not seen."""
    chatglm_remote(writer, config | {"max_position_embeddings": config["hidden_size"], "rms_norm_eps": 1e-5})


def chatglm_remote(writer: Writer, config: dict):
    """ChatGLMModel of a checkpoint with remote code, where it finds seq_length and layernorm_epsilon."""
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(int(config["hidden_size"] // config["num_attention_heads"] * rope_of(config)["partial_rotary_factor"]))
    writer.add_add_bos_token(False)
    writer.add_rope_freq_base(10000)


def glm4(writer: Writer, config: dict):
    """Glm4Model."""
    text_model(writer, config)
    writer.add_rope_dimension_count(int(head_size(config) * rope_of(config)["partial_rotary_factor"]))


def deepseek2(writer: Writer, config: dict):
    """DeepseekV2Model: kept as one head of the latent (the form since April 2025)."""
    text_model(writer, config | {"num_key_value_heads": 1, "head_dim": None})
    writer.add_key_length(config["kv_lora_rank"] + config["qk_rope_head_dim"])
    writer.add_value_length(config["kv_lora_rank"])
    writer.add_key_length_mla(config["qk_nope_head_dim"] + config["qk_rope_head_dim"])
    writer.add_value_length_mla(config["v_head_dim"])
    deepseek2_rest(writer, config)


def deepseek2_heads(writer: Writer, config: dict):
    """DeepseekV2Model until April 2025: keys and values per head; groups of experts were not written."""
    text_model(writer, config | {"head_dim": None, "n_group": None, "topk_group": None})
    writer.add_key_length(config["qk_nope_head_dim"] + config["qk_rope_head_dim"])
    writer.add_value_length(config["v_head_dim"])
    deepseek2_rest(writer, config)


def deepseek2_rest(writer: Writer, config: dict):
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
    writer.add_vocab_size(config["vocab_size"])
    if config["q_lora_rank"] is not None:
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(config["kv_lora_rank"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    if config["norm_topk_prob"]:
        writer.add_expert_weights_norm(True)
    writer.add_rope_dimension_count(config["qk_rope_head_dim"])
    if (mscale := rope_of(config).get("mscale_all_dim")) is not None:
        writer.add_rope_scaling_yarn_log_mul(0.1 * mscale)


# Tensors: each rule yields Hugging Face's name (or the converter's merged one, or a GGUF name), and the rearranged values.
Tensors = Iterator[tuple[str, torch.Tensor]]


def as_they_are(weights: Weights, config: dict) -> Tensors:
    yield from weights.items()


def permute(value: torch.Tensor, heads: int) -> torch.Tensor:
    """LlamaModel.permute: the halves of a head interleaved."""
    return value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)


def permuted(weights: Weights, config: dict) -> Tensors:
    """LlamaModel.modify_tensors."""
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, value in stacked(weights, config):
        part = name.split(".")[-2]
        yield name, permute(value, heads[part]) if part in heads else value


def stacked(weights: Weights, config: dict) -> Tensors:
    """The experts of a layer as one tensor: LlamaModel, Qwen2MoeModel and DeepseekV2Model alike; the bias of DeepSeek's router gets a dot (filter_tensors)."""
    experts: dict[str, dict[int, torch.Tensor]] = {}
    for name, value in weights.items():
        if found := re.fullmatch(r"(.*\.experts)\.(\d+)\.(\w+)\.weight", name):
            experts.setdefault(f"{found[1]}.{found[3]}.weight", {})[int(found[2])] = value
        else:
            yield name.replace("e_score_correction_bias", "e_score_correction.bias"), value
    for name, parts in experts.items():
        yield re.sub(r"model\.(.*)block_sparse_moe\.", r"\1feed_forward.", name), torch.stack([parts[i] for i in range(len(parts))])


def norms_plus_one(weights: Weights, config: dict) -> Tensors:
    """GemmaModel, Gemma2Model, Gemma3Model."""
    for name, value in weights.items():
        if name != "lm_head.weight":
            yield name, value.float() + 1 if name.endswith("norm.weight") else value


def phi3_tensors(weights: Weights, config: dict) -> Tensors:
    """Phi3MiniModel.generate_extra_tensors."""
    yield from weights.items()
    rope = rope_of(config)
    for length in ("long", "short"):
        if rope.get(f"{length}_factor"):
            yield f"rope_factors_{length}.weight", torch.tensor(rope[f"{length}_factor"], dtype=torch.float32)


def transposed(weights: Weights, config: dict) -> Tensors:
    """GPT2Model: Conv1D is stored [in, out]."""
    for name, value in weights.items():
        yield name, value.T if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")) else value


def heads_last(weights: Weights, config: dict) -> Tensors:
    """GPTNeoXModel: [head][q, k, v] becomes all q, all k, all v."""
    heads = config["num_attention_heads"]
    for name, value in weights.items():
        if "query_key_value" in name:
            value = value.reshape(heads, 3, -1, *value.shape[1:]).swapaxes(0, 1).reshape(value.shape)
        yield name, value


def groups_last(weights: Weights, config: dict) -> Tensors:
    """FalconModel: [group][its q.., k, v] becomes all q, all k, all v."""
    groups, size = falcon_kv_heads(config), head_size(config)
    for name, value in weights.items():
        if "query_key_value" in name:
            parts = value.reshape(groups, -1, size, *value.shape[1:])
            value = torch.cat([part.reshape(-1, *value.shape[1:]) for part in (parts[:, :-2], parts[:, -2], parts[:, -1])])
        yield name, value


def heads_stacked(weights: Weights, config: dict) -> Tensors:
    """StableLMModel._stack_qk_norm."""
    norms: dict[str, list[torch.Tensor]] = {}
    for name, value in weights.items():
        if found := re.fullmatch(r"(.*layernorm)\.norms\.\d+\.weight", name):
            norms.setdefault(found[1] + ".weight", []).append(name)
        else:
            yield name, value
    for name, parts in norms.items():
        yield name, torch.stack([weights[part] for part in sorted(parts, key=lambda part: int(part.split(".")[-2]))])


def wqkv_split(weights: Weights, config: dict) -> Tensors:
    """InternLM2Model."""
    heads, kv_heads, size = config["num_attention_heads"], config["num_key_value_heads"], head_size(config)
    for name, value in weights.items():
        if not name.endswith("attention.wqkv.weight"):
            yield name, value
            continue
        parts = value.reshape(kv_heads, heads // kv_heads + 2, size, -1)
        q, k, v = (part.reshape(-1, value.shape[-1]) for part in (parts[:, :-2], parts[:, -2], parts[:, -1]))
        layer = name.split(".")[2]
        yield f"blk.{layer}.attn_q.weight", permute(q, heads)
        yield f"blk.{layer}.attn_k.weight", permute(k, kv_heads)
        yield f"blk.{layer}.attn_v.weight", v


def qkv_fused(weights: Weights, config: dict) -> Tensors:
    """A ChatGLMModel's query_key_value, which stays one tensor."""
    for name, value in weights.items():
        if ".q_proj." in name:
            value = torch.cat([weights[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")])
            yield f"blk.{name.split('.')[2]}.attn_qkv.{name.rsplit('.', 1)[1]}", value
        elif not (".k_proj." in name or ".v_proj." in name):
            yield name, value


def latent(weights: Weights, config: dict) -> Tensors:
    """DeepseekV2Model.modify_tensors: kv_b_proj split, its keys transposed."""
    nope, heads = config["qk_nope_head_dim"], config["num_attention_heads"]
    for name, value in stacked(weights, config):
        if name.endswith("kv_b_proj.weight"):
            parts = value.reshape(heads, -1, value.shape[-1])
            yield name.replace("kv_b_proj", "k_b_proj"), parts[:, :nope].transpose(1, 2)
            yield name.replace("kv_b_proj", "v_b_proj"), parts[:, nope:]
        else:
            yield name, value


class Rule(NamedTuple):
    arch: gguf.MODEL_ARCH
    metadata: Callable[[Writer, dict], None]
    tensors: Callable[[Weights, dict], Tensors]


ARCH = gguf.MODEL_ARCH
RULES = {
    "mistral": Rule(ARCH.LLAMA, llama, permuted),
    "mixtral": Rule(ARCH.LLAMA, llama, permuted),
    "qwen2_moe": Rule(ARCH.QWEN2MOE, qwen_moe, stacked),
    "qwen3_moe": Rule(ARCH.QWEN3MOE, qwen_moe, stacked),
    "gemma": Rule(ARCH.GEMMA, gemma, norms_plus_one),
    "gemma2": Rule(ARCH.GEMMA2, gemma2, norms_plus_one),
    "gemma3_text": Rule(ARCH.GEMMA3, gemma3, norms_plus_one),
    "phi3": Rule(ARCH.PHI3, phi3, phi3_tensors),
    "gpt2": Rule(ARCH.GPT2, gpt2, transposed),
    "gpt_neox": Rule(ARCH.GPTNEOX, gpt_neox, heads_last),
    "falcon": Rule(ARCH.FALCON, falcon, groups_last),
    "olmo2": Rule(ARCH.OLMO2, text_model, as_they_are),
    "smollm3": Rule(ARCH.SMOLLM3, llama, permuted),
    "granite": Rule(ARCH.GRANITE, granite, permuted),
    "cohere": Rule(ARCH.COMMAND_R, command_r, as_they_are),
    "stablelm": Rule(ARCH.STABLELM, stablelm, heads_stacked),
    "starcoder2": Rule(ARCH.STARCODER2, text_model, as_they_are),
    "internlm2": Rule(ARCH.INTERNLM2, text_model, wqkv_split),
    "glm": Rule(ARCH.CHATGLM, chatglm, as_they_are),
    "glm4": Rule(ARCH.GLM4, glm4, as_they_are),
    "deepseek_v2": Rule(ARCH.DEEPSEEK2, deepseek2, latent),
    "deepseek_v3": Rule(ARCH.DEEPSEEK2, deepseek2, latent),
}
# Other files of the same models, by the name of their GGUF.
FORMS = {
    "deepseek_v2_heads": Rule(ARCH.DEEPSEEK2, deepseek2_heads, stacked),
    "glm_fused": Rule(ARCH.CHATGLM, chatglm_remote, qkv_fused),
}


def converted(rule: Rule, weights: Weights, config: dict) -> Tensors:
    """Under GGUF names."""
    names = gguf.get_tensor_name_map(rule.arch, first(config, "num_hidden_layers", "n_layer"))
    for name, value in rule.tensors(weights, config):
        yield names.get_name(name, try_suffixes=(".weight", ".bias")), value.contiguous()


def stored_type(name: str, value: torch.Tensor) -> gguf.GGMLQuantizationType:
    """ModelBase.prepare_tensors: vectors, norms, routers and positions stay f32."""
    kinds = {torch.float32: gguf.GGMLQuantizationType.F32, torch.float16: gguf.GGMLQuantizationType.F16, torch.bfloat16: gguf.GGMLQuantizationType.BF16}
    small = value.dim() <= 1 or name.endswith("_norm.weight") or name == "position_embd.weight" or ".ffn_gate_inp" in name
    return gguf.GGMLQuantizationType.F32 if small else kinds[value.dtype]
