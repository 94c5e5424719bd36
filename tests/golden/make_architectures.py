"""Tiny random models of every architecture beside llama, and what transformers makes of them. Versions: requirements.txt.

Writes tiny_models/architectures/cases.json: {"cases": [{"name", "architecture", "config" (of config.json, as the hub's checkpoints spell it),
"weights", "gguf", "weights_parts", "gguf_parts", "gguf_positions" (where a GGUF file states another context), "torch_parts" (of some, {file: parts}),
"logprobs", "greedy", "gradient" (tiny.gradient)}]}; its prompts are those of tiny_models/cases.json. Two files stand for each case: model.safetensors
as save_pretrained leaves it on a user's disk (for InternLM and one GPT-2, under the hub's names), and a GGUF file as converter_rules.py writes it; for
some also pytorch_model.bin as the hub's old checkpoints have it. They share most of their bytes, so each is the concatenation of its parts: [0,
offset, length] of shared.bin (the embeddings of all models), [1, offset, length] of <weights>.bin. Cases that differ in the configuration alone share
the weights. The name of weights that are not stored in f32 ends in their dtype.
"""

import json
import math
import pathlib
import re
import shutil
import struct
import tempfile
import zipfile

import gguf
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

import tiny
from converter_rules import FORMS, RULES, Rule, converted, stored_type

FOLDER = tiny.OUT / "architectures"
TOKENS = {"vocab_size": tiny.VOCABULARY, "bos_token_id": 1, "eos_token_id": 2}
EPSILON = 1e-3  # large enough to be seen in the results
SIZES = TOKENS | {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                  "max_position_embeddings": 256, "hidden_act": "silu", "rms_norm_eps": EPSILON, "rope_theta": 10000.0, "tie_word_embeddings": False}
MISTRAL = SIZES | {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": None, "head_dim": 16}
MIXTRAL = SIZES | {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "sliding_window": None, "num_local_experts": 4, "num_experts_per_tok": 2,
                   "intermediate_size": 24, "rope_theta": 1e6}
QWEN2_MOE = SIZES | {"architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "decoder_sparse_step": 1, "moe_intermediate_size": 16,
                     "shared_expert_intermediate_size": 24, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": False, "mlp_only_layers": [],
                     "use_sliding_window": False, "sliding_window": 32, "max_window_layers": 2}
QWEN3_MOE = SIZES | {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "attention_bias": False, "decoder_sparse_step": 1, "head_dim": 16,
                     "moe_intermediate_size": 16, "num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": True, "mlp_only_layers": [],
                     "use_sliding_window": False, "sliding_window": None, "max_window_layers": 2}
# The fifth transformers' spelling; the first layer dense; weights of the chosen experts as they are.
QWEN3_MOE_MIXED = {key: value for key, value in QWEN3_MOE.items() if key != "rope_theta"} | {
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "decoder_sparse_step": 2, "norm_topk_prob": False, "dtype": "float32"}
GEMMA = {key: value for key, value in SIZES.items() if key not in ("tie_word_embeddings", "hidden_act")} | {
    "architectures": ["GemmaForCausalLM"], "model_type": "gemma", "head_dim": 16, "num_key_value_heads": 1,
    "hidden_act": "gelu_pytorch_tanh"}
GEMMA2 = {key: value for key, value in GEMMA.items() if key != "hidden_act"} | {
    "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "hidden_activation": "gelu_pytorch_tanh", "num_key_value_heads": 2,
    "query_pre_attn_scalar": 16, "sliding_window": 24, "attn_logit_softcapping": 4.0, "final_logit_softcapping": 6.0}
GEMMA3 = {key: value for key, value in GEMMA.items() if key != "hidden_act"} | {
    "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "num_hidden_layers": 6, "intermediate_size": 32,
    "query_pre_attn_scalar": 16, "sliding_window": 20, "sliding_window_pattern": 6, "rope_theta": 1000000, "rope_local_base_freq": 10000,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "attn_logit_softcapping": None, "final_logit_softcapping": None}
# As transformers 5 writes it, with another pattern and another scale.
GEMMA3_PARAMETERS = {key: value for key, value in GEMMA3.items() if "rope" not in key and key != "sliding_window_pattern"} | {
    "layer_types": ["sliding_attention", "full_attention", "full_attention", "sliding_attention", "sliding_attention", "full_attention"],
    "query_pre_attn_scalar": 24, "final_logit_softcapping": 8.0, "tie_word_embeddings": True,
    "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 500000.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0}}}
PHI3 = SIZES | {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "original_max_position_embeddings": 256, "sliding_window": 24, "rope_scaling": None,
                "pad_token_id": 0}
PHI3_LONGROPE = PHI3 | {"num_attention_heads": 2, "original_max_position_embeddings": 64, "partial_rotary_factor": 0.75, "sliding_window": None,
                        "tie_word_embeddings": True, "num_key_value_heads": 1,
                        "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.1, 1.25, 1.5, 1.75, 2.0], "long_factor": [1.0, 1.5, 2.5, 4.0, 8.0, 12.0]}}
GPT2 = TOKENS | {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "n_ctx": 128,
                 "activation_function": "gelu_new", "layer_norm_epsilon": EPSILON, "eos_token_id": 0, "bos_token_id": 0}
GPT_NEOX = TOKENS | {"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                     "num_attention_heads": 2, "max_position_embeddings": 256, "hidden_act": "gelu", "layer_norm_eps": EPSILON, "rotary_pct": 0.25,
                     "rotary_emb_base": 10000, "use_parallel_residual": True, "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 0}
FALCON = TOKENS | {"architectures": ["FalconForCausalLM"], "model_type": "falcon", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                   "layer_norm_epsilon": EPSILON, "alibi": False, "bias": False, "multi_query": True, "new_decoder_architecture": False, "parallel_attn": True}
FALCON_NEW = FALCON | {"new_decoder_architecture": True, "num_kv_heads": 2}
OLMO2 = SIZES | {"architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "attention_bias": False, "rope_theta": 500000, "rope_scaling": None}
SMOLLM3 = SIZES | {"architectures": ["SmolLM3ForCausalLM"], "model_type": "smollm3", "num_hidden_layers": 4, "intermediate_size": 32, "no_rope_layer_interval": 4,
                   "no_rope_layers": [1, 1, 1, 0], "rope_theta": 5000000.0, "tie_word_embeddings": True, "use_sliding_window": False, "sliding_window": None,
                   "pad_token_id": 0}
SMOLLM3_INTERVAL = {key: value for key, value in SMOLLM3.items() if key != "no_rope_layers"} | {
    "no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 24}
GRANITE = SIZES | {"architectures": ["GraniteForCausalLM"], "model_type": "granite", "attention_multiplier": 0.2, "embedding_multiplier": 3.0, "logits_scaling": 0.8,
                   "residual_multiplier": 0.6, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True, "rope_scaling": None}
COHERE = {key: value for key, value in SIZES.items() if key not in ("rms_norm_eps", "tie_word_embeddings")} | {
    "architectures": ["CohereForCausalLM"], "model_type": "cohere", "layer_norm_eps": EPSILON, "logit_scale": 0.6, "use_qk_norm": False, "pad_token_id": 0}
STABLELM = {key: value for key, value in SIZES.items() if key != "rms_norm_eps"} | {
    "architectures": ["StableLmForCausalLM"], "model_type": "stablelm", "layer_norm_eps": EPSILON, "num_attention_heads": 2, "num_key_value_heads": 2,
    "partial_rotary_factor": 0.25, "use_qkv_bias": True}
STABLELM_PARALLEL = STABLELM | {"num_key_value_heads": 1, "use_qkv_bias": False, "qk_layernorm": True, "use_parallel_residual": True}
STARCODER2 = {key: value for key, value in SIZES.items() if key not in ("rms_norm_eps", "tie_word_embeddings")} | {
    "architectures": ["Starcoder2ForCausalLM"], "model_type": "starcoder2", "hidden_act": "gelu_pytorch_tanh", "intermediate_size": 64, "norm_epsilon": EPSILON,
    "use_bias": True, "mlp_type": "default", "norm_type": "layer_norm", "sliding_window": None}
INTERNLM2 = SIZES | {"architectures": ["InternLM2ForCausalLM"], "model_type": "internlm2", "bias": False, "rope_scaling": None, "rope_theta": 1000000,
                     "auto_map": {"AutoModelForCausalLM": "modeling_internlm2.InternLM2ForCausalLM"}}
INTERNLM3 = SIZES | {"architectures": ["InternLM3ForCausalLM"], "model_type": "internlm3", "bias": False, "qkv_bias": True, "head_dim": 16,
                     "rope_scaling": {"factor": 6.0, "rope_type": "dynamic"}, "rope_theta": 50000000, "max_position_embeddings": 64,
                     "auto_map": {"AutoModelForCausalLM": "modeling_internlm3.InternLM3ForCausalLM"}}
GLM = SIZES | {"architectures": ["GlmForCausalLM"], "model_type": "glm", "attention_bias": True, "head_dim": 16, "partial_rotary_factor": 0.5,
               "num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 0, "rms_norm_eps": 1e-5}  # the converter's
GLM4 = GLM | {"architectures": ["Glm4ForCausalLM"], "model_type": "glm4", "rms_norm_eps": EPSILON}
LATENT = SIZES | {"num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": None, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 16,
                  "moe_intermediate_size": 16, "n_routed_experts": 4, "n_shared_experts": 2, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "moe_layer_freq": 1,
                  "n_group": 1, "topk_group": 1, "topk_method": "greedy", "norm_topk_prob": False, "routed_scaling_factor": 1.0, "scoring_func": "softmax",
                  "attention_bias": False, "rope_theta": 100.0,
                  "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 2, "beta_slow": 0.25, "mscale": 0.707,
                                   "mscale_all_dim": 0.707}}
DEEPSEEK_V2 = LATENT | {"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2"}
DEEPSEEK_V2_GROUPS = DEEPSEEK_V2 | {"q_lora_rank": 24, "n_routed_experts": 8, "n_group": 4, "topk_group": 2, "topk_method": "group_limited_greedy", "num_experts_per_tok": 3,
                                    "routed_scaling_factor": 1.5, "n_shared_experts": 1}
DEEPSEEK_V3 = DEEPSEEK_V2_GROUPS | {
    "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "topk_method": "noaux_tc", "norm_topk_prob": True, "scoring_func": "sigmoid",
    "routed_scaling_factor": 2.5, "num_nextn_predict_layers": 1, "n_group": 2, "topk_group": 1,
    "rope_scaling": LATENT["rope_scaling"] | {"mscale": 1.0, "mscale_all_dim": 1.0}}

# name: (config, weights, gguf or None).
CASES = {
    "mistral_window": (MISTRAL | {"sliding_window": 24}, "mistral", None),  # the converter does not write the window
    "mistral_full": (MISTRAL, "mistral", "mistral"),
    "mixtral": (MIXTRAL, "mixtral", "mixtral"),
    "qwen2_moe": (QWEN2_MOE, "qwen2_moe", "qwen2_moe"),
    "qwen2_moe_window": (QWEN2_MOE | {"use_sliding_window": True, "norm_topk_prob": True}, "qwen2_moe", None),
    "qwen3_moe": (QWEN3_MOE, "qwen3_moe", "qwen3_moe"),
    "qwen3_moe_mixed": (QWEN3_MOE_MIXED, "qwen3_moe_mixed", None),
    "qwen3_moe_bf16": (QWEN3_MOE | {"torch_dtype": "bfloat16"}, "qwen3_moe_bf16", "qwen3_moe_bf16"),
    "gemma": (GEMMA, "gemma", "gemma"),
    "gemma2": (GEMMA2, "gemma2", "gemma2"),
    "gemma2_uncapped": (GEMMA2 | {"attn_logit_softcapping": None, "final_logit_softcapping": None, "query_pre_attn_scalar": 24}, "gemma2", None),
    "gemma2_bf16": (GEMMA2 | {"torch_dtype": "bfloat16"}, "gemma2_bf16", "gemma2_bf16"),
    "gemma3": (GEMMA3, "gemma3", "gemma3"),
    "gemma3_parameters": (GEMMA3_PARAMETERS, "gemma3", None),
    "phi3": (PHI3, "phi3", "phi3"),
    "phi3_longrope": (PHI3_LONGROPE, "phi3_longrope", "phi3_longrope"),
    "phi3_longrope_f16": (PHI3_LONGROPE | {"torch_dtype": "float16"}, "phi3_longrope_f16", "phi3_longrope_f16"),
    "gpt2": (GPT2, "gpt2", "gpt2"),
    "gpt2_f16": (GPT2 | {"torch_dtype": "float16"}, "gpt2_f16", "gpt2_f16"),
    "gpt_neox": (GPT_NEOX, "gpt_neox", "gpt_neox"),
    "gpt_neox_sequential": (GPT_NEOX | {"use_parallel_residual": False}, "gpt_neox", "gpt_neox_sequential"),
    "falcon": (FALCON, "falcon", "falcon"),
    "falcon_new": (FALCON_NEW, "falcon_new", "falcon_new"),
    "falcon_one_norm": (FALCON_NEW | {"num_ln_in_parallel_attn": 1, "tie_word_embeddings": False}, "falcon_one_norm", "falcon_one_norm"),
    "olmo2": (OLMO2, "olmo2", "olmo2"),
    "smollm3": (SMOLLM3, "smollm3", "smollm3"),
    "smollm3_interval": (SMOLLM3_INTERVAL, "smollm3", None),
    "granite": (GRANITE, "granite", "granite"),
    "cohere": (COHERE, "cohere", "cohere"),
    "cohere_qk_norm": (COHERE | {"use_qk_norm": True}, "cohere_qk_norm", "cohere_qk_norm"),
    "stablelm": (STABLELM, "stablelm", "stablelm"),
    "stablelm_parallel": (STABLELM_PARALLEL, "stablelm_parallel", "stablelm_parallel"),
    "starcoder2": (STARCODER2, "starcoder2", "starcoder2"),
    "starcoder2_window": (STARCODER2 | {"sliding_window": 24}, "starcoder2", None),
    "internlm2": (INTERNLM2, "internlm2", "internlm2"),
    "internlm3": (INTERNLM3, "internlm3", None),
    "glm": (GLM, "glm", "glm"),
    "glm_fused": (GLM, "glm", "glm_fused"),
    "glm4": (GLM4, "glm4", "glm4"),
    "deepseek_v2": (DEEPSEEK_V2, "deepseek_v2", "deepseek_v2"),
    "deepseek_v2_heads": (DEEPSEEK_V2, "deepseek_v2", "deepseek_v2_heads"),
    "deepseek_v2_groups": (DEEPSEEK_V2_GROUPS, "deepseek_v2_groups", "deepseek_v2_groups"),
    "deepseek_v3": (DEEPSEEK_V3, "deepseek_v3", "deepseek_v3"),
}
# Weights that there are as pytorch_model.bin too, in so many files.
TORCH_FILES = {"gpt2_f16": 1, "gpt_neox": 2, "internlm2": 2, "gemma2_bf16": 2}
STORED = {"bf16": torch.bfloat16, "f16": torch.float16}
EMBEDDING, HEAD = (torch.randn(tiny.VOCABULARY, 32, generator=torch.Generator().manual_seed(i)) * 2 / math.sqrt(32) for i in (1, 2))


def fill(model, norm: int):
    """Logits differ by a few units, tied or not: by tens, f32 itself would be too far away from f64. The norms' signs keep a tied head from repeating its input."""
    for name, value in model.state_dict().items():
        if name.endswith(("norm.weight", "ln_1.weight", "ln_2.weight", "ln_f.weight", "ln_attn.weight", "ln_mlp.weight", "layernorm.weight")) or ".norms." in name:
            value.copy_((1 + 0.2 * torch.randn(value.shape)) * (torch.randint(0, 2, value.shape) * 2 - 1) - (1 - norm))
        elif value.shape == EMBEDDING.shape:
            value.copy_(HEAD if name.startswith(("lm_head", "embed_out")) and not model.config.tie_word_embeddings else EMBEDDING)
        elif value.dim() == 1:
            value.copy_(0.2 * torch.randn(value.shape))
        else:
            inputs = value.shape[0] if re.search(r"\.(c_attn|c_proj|c_fc)\.weight", name) and "transformer.h." in name else value.shape[-1]
            value.copy_(torch.randn(value.shape) * 2 / math.sqrt(inputs))


def watch_routers(model) -> list[float]:
    """By how much the chosen experts, and their groups, were ahead of the next."""
    margins = []

    def margin(scores: torch.Tensor, k: int):
        ordered = scores.sort(-1, descending=True)[0]
        if k < scores.shape[-1]:
            margins.append((ordered[:, k - 1] - ordered[:, k]).min().item())

    def look(router, inputs, outputs):
        scores, best = outputs[0], 1
        if hasattr(router, "e_score_correction_bias"):
            scores, best = scores.sigmoid() + router.e_score_correction_bias, 2
        if groups := getattr(router, "num_group", None):
            parts = scores.view(len(scores), groups, -1)
            group_scores = parts.topk(best, -1)[0].sum(-1)
            margin(group_scores, router.topk_group)
            chosen = torch.zeros_like(group_scores).scatter_(1, group_scores.topk(router.topk_group, -1)[1], 1)
            scores = parts.masked_fill(chosen[:, :, None] == 0, -math.inf).flatten(1)
        margin(scores, router.top_k)

    for module in model.modules():
        if type(module).__name__.lower().endswith("topkrouter"):
            module.register_forward_hook(look)
    return margins


def llama_of(config: dict) -> dict:
    """InternLM's model is llama's: the remote code's configuration in llama's words."""
    renamed = {key: value for key, value in config.items() if key not in ("auto_map", "bias", "qkv_bias")}
    return renamed | {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": config.get("qkv_bias", config["bias"]),
                      "mlp_bias": config["bias"]}


def to_internlm2(weights: dict[str, torch.Tensor], config: dict) -> dict[str, torch.Tensor]:
    groups, size = config["num_key_value_heads"], config["hidden_size"] // config["num_attention_heads"]
    names = {"lm_head.": "output.", "embed_tokens": "tok_embeddings", "self_attn.o_proj": "attention.wo", "input_layernorm": "attention_norm",
             "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "feed_forward.w1", "mlp.up_proj": "feed_forward.w3", "mlp.down_proj": "feed_forward.w2"}
    result = {}
    for name, value in weights.items():
        if name.endswith("q_proj.weight"):
            parts = [weights[name.replace("q_proj", part)].reshape(groups, -1, size, config["hidden_size"]) for part in ("q_proj", "k_proj", "v_proj")]
            result[name.replace("self_attn.q_proj", "attention.wqkv")] = torch.cat(parts, 1).reshape(-1, config["hidden_size"])
        elif not name.endswith(("k_proj.weight", "v_proj.weight")):
            for old, new in names.items():
                name = name.replace(old, new)
            result[name] = value
    return result


def make_weights(config: dict, directory: pathlib.Path, seed: int, dtype: torch.dtype):
    torch.manual_seed(seed)
    values = json.loads(json.dumps(config))
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(values.pop("model_type"), **values)).float()
    with torch.no_grad():
        fill(model, 0 if "gemma" in config["model_type"] else 1)
        for name, bias in model.named_parameters():
            if config.get("architectures") == ["LlamaForCausalLM"] and name.endswith("o_proj.bias"):
                bias.zero_()
    model.to(dtype).save_pretrained(directory)


def load(config: dict, directory: pathlib.Path):
    (directory / "config.json").write_text(json.dumps(config))
    model, info = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager",
                                                       output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    return model.eval()


def to_hub(weights: dict[str, torch.Tensor], config: dict, name: str) -> dict[str, torch.Tensor]:
    """The names in the hub's files, where save_pretrained has others."""
    if config["model_type"] == "internlm2":
        return to_internlm2(weights, config)
    if config["model_type"] == "internlm3":
        return {key: value for key, value in weights.items() if not key.endswith("o_proj.bias")}
    if name == "gpt2_f16":
        return {key.removeprefix("transformer."): value for key, value in weights.items()}
    return weights


def make_model(name: str, configs: list[dict], path: pathlib.Path) -> list[dict]:
    """The weights, and the references of all their configurations, from the first seed that is clear for all."""
    dtype = STORED.get(name.rsplit("_", 1)[-1], torch.float32)
    spoken = [llama_of(config) if config["model_type"].startswith("internlm") else config for config in configs]
    for seed in range(1, 500):
        make_weights(spoken[0], path.parent, seed, dtype)
        try:
            references = []
            for config in spoken:
                model = load(config, path.parent)
                margins = watch_routers(model)
                references.append(tiny.reference(model))
                if min(margins, default=1) < tiny.CLEAR:
                    raise tiny.Unclear(f"an expert hangs on {min(margins):.1g}")
                references[-1]["gradient"] = tiny.gradient(model)
            break
        except tiny.Unclear as error:
            print(f"{name}, seed {seed}: {error}")
    else:
        raise RuntimeError(name)
    weights = load_file(path)
    hub = to_hub(weights, configs[0], name)
    if hub is not weights:
        save_file(hub, path, metadata={"format": "pt"})
    return references


def write_gguf(rule: Rule, config: dict, weights: dict[str, torch.Tensor], path: pathlib.Path):
    known = json.loads(json.dumps(config))
    if config["model_type"] != "internlm2":  # remote code: the converter, too, takes its config.json as it is
        known = AutoConfig.for_model(known.pop("model_type"), **known).to_dict()
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[rule.arch])
    writer.add_name("tiny")  # by some names llama.cpp goes
    rule.metadata(writer, known)
    kinds = {torch.float32: gguf.LlamaFileType.ALL_F32, torch.float16: gguf.LlamaFileType.MOSTLY_F16, torch.bfloat16: gguf.LlamaFileType.MOSTLY_BF16}
    writer.add_file_type(kinds[max((value.dtype for value in weights.values()), key=lambda dtype: dtype != torch.float32)])
    tiny.add_vocabulary(writer, tiny.make_tokenizer())
    for name, value in converted(rule, weights, known):
        kind = stored_type(name, value)
        writer.add_tensor(name, gguf.quants.quantize(value.float().numpy(), kind), raw_dtype=kind)
    tiny.write_file(writer)


def with_old_buffers(weights: dict[str, torch.Tensor], config: dict) -> dict[str, torch.Tensor]:
    """What transformers saved before its modules declared them as not persistent: causal masks, frequencies, and the head that is the embedding."""

    def causal(size: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.ones(size, size).tril().to(dtype)[None, None]

    def frequencies(dim: int) -> torch.Tensor:
        return 10000.0 ** (-torch.arange(0, dim, 2) / dim)

    old = dict(weights)
    for layer in range(2):
        match config["model_type"]:
            case "gpt2":
                old |= {f"h.{layer}.attn.bias": causal(128, torch.uint8), f"h.{layer}.attn.masked_bias": torch.tensor(-1e4).half()}
            case "gpt_neox":
                old |= {f"gpt_neox.layers.{layer}.attention.{name}": value for name, value in (
                    ("bias", causal(256, torch.bool)), ("masked_bias", torch.tensor(-1e9)), ("rotary_emb.inv_freq", frequencies(4)))}
            case "internlm2":
                old |= {f"model.layers.{layer}.attention.rotary_emb.inv_freq": frequencies(8)}
            case "gemma2":
                old |= {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": frequencies(16), "lm_head.weight": weights["model.embed_tokens.weight"]}
    return old


def save_torch(weights: dict[str, torch.Tensor], files: int, directory: pathlib.Path) -> list[pathlib.Path]:
    if files == 1:
        torch.save(weights, directory / "pytorch_model.bin")
        return [directory / "pytorch_model.bin"]
    shards = {directory / f"pytorch_model-{i + 1:05}-of-{files:05}.bin": sorted(weights)[i::files] for i in range(files)}
    for path, names in shards.items():
        torch.save({name: weights[name] for name in names}, path)
    index = directory / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": {name: path.name for path, names in shards.items() for name in names}}))
    return [index, *shards]


class Pieces:
    """Files cut into pieces, of which every one is kept once."""

    def __init__(self):
        self.blobs = [EMBEDDING.numpy().tobytes() + HEAD.numpy().tobytes(), b""]

    def add(self, data: bytes, borders: list[int]) -> list[list[int]]:
        parts = []
        for begin, end in zip(borders, borders[1:]):
            piece = data[begin:end]
            blob = next((i for i, known in enumerate(self.blobs) if len(piece) >= 64 and piece in known), None)
            if blob is None:
                blob, self.blobs[1] = 1, self.blobs[1] + piece
            offset = self.blobs[blob].rfind(piece)
            if parts and parts[-1][0] == blob and sum(parts[-1][1:]) == offset:
                parts[-1][2] += len(piece)
            elif piece:
                parts.append([blob, offset, len(piece)])
        return parts

    def add_weights(self, path: pathlib.Path) -> list[list[int]]:
        data = path.read_bytes()
        start = 8 + struct.unpack("<Q", data[:8])[0]
        tensors = [value for name, value in json.loads(data[8:start]).items() if name != "__metadata__"]
        return self.add(data, [0] + sorted({start + border for value in tensors for border in value["data_offsets"]}))

    def add_gguf(self, path: pathlib.Path) -> list[list[int]]:
        """The experts that a tensor stacks are pieces of their own."""
        data, borders = path.read_bytes(), {0}
        for tensor in gguf.GGUFReader(path).tensors:
            begin, size = int(tensor.data_offset), int(tensor.n_bytes)
            stack = int(tensor.shape[2]) if len(tensor.shape) == 3 else 1
            borders |= {begin + size * i // stack for i in range(stack + 1)}
        return self.add(data, sorted(borders | {len(data)}))

    def add_torch(self, path: pathlib.Path) -> list[list[int]]:
        data = path.read_bytes()
        borders = {0, len(data)}
        for entry in zipfile.ZipFile(path).infolist() if path.suffix == ".bin" else []:
            name_size, extra_size = struct.unpack_from("<HH", data, entry.header_offset + 26)
            begin = entry.header_offset + 30 + name_size + extra_size
            borders |= {begin, begin + entry.file_size}
        return self.add(data, sorted(borders))


def main():
    logging.disable_progress_bar()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    cases = {}
    for weights in dict.fromkeys(weights for _, weights, _ in CASES.values()):
        shared = {name: config for name, (config, other, _) in CASES.items() if other == weights}
        pieces = Pieces()
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "model.safetensors"
            references = make_model(weights, list(shared.values()), path)
            weights_parts = pieces.add_weights(path)
            for (name, config), found in zip(shared.items(), references):
                case = {"name": name, "architecture": config["model_type"], "config": config, "weights": f"architectures/{weights}", "gguf": None,
                        "weights_parts": weights_parts}
                if container := CASES[name][2]:
                    rule = FORMS.get(container) or RULES[config["model_type"]]
                    write_gguf(rule, config, load_file(path), path.with_suffix(".gguf"))
                    case |= {"gguf": f"architectures/{container}", "gguf_parts": pieces.add_gguf(path.with_suffix(".gguf"))}
                    if container == "glm":
                        case["gguf_positions"] = config["hidden_size"]  # see converter_rules.chatglm
                if name in TORCH_FILES:
                    files = save_torch(with_old_buffers(load_file(path), config), TORCH_FILES[name], path.parent)
                    case["torch_parts"] = {file.name: pieces.add_torch(file) for file in files}
                cases[name] = case | found
                print(name, [round(sum(row) / len(row), 3) for row in found["logprobs"].values()], found["greedy"])
        (FOLDER / f"{weights}.bin").write_bytes(pieces.blobs[1])
    (FOLDER / "shared.bin").write_bytes(pieces.blobs[0])
    (FOLDER / "cases.json").write_text('{"cases": [\n' + ",\n".join(json.dumps(cases[name]) for name in CASES) + "\n]}\n")


if __name__ == "__main__":
    main()
