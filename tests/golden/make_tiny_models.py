"""Tiny random llamas with every scaling of the rotation, their nearest kin, and what transformers makes of them in f32. Versions: requirements.txt.

Writes tiny_models/: weights that several cases share, and cases.json: {"prompts": {name: ids}, "cases": [{"name", "architecture", "config" (of
config.json), "weights", "gguf", "logprobs": {prompt: [log p(ids[i + 1] | ids[..i])]}, "greedy": the short prompt's continuation, "gradient"
(tiny.gradient)}]}. The test puts a case's directory together: config.json and the files of `weights`. A GGUF is <gguf>.gguf, or, where several cases
share tensors, <gguf>.head followed by tensors.bin. GGUF files are written as llama.cpp's converter does: a llama's rows of q and k interleaved,
llama3's scaling as rope_freqs.weight.
"""

import json
import math
import pathlib

import gguf
import numpy
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

import tiny
from tiny import OUT, SPECIAL, TEMPLATE, VOCABULARY

BASE = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": [2, 0], "tie_word_embeddings": False}
WIDE = BASE | {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 48, "attention_bias": True,
               "mlp_bias": True, "tie_word_embeddings": True}
QWEN2 = BASE | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
QWEN3 = BASE | {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 24, "tie_word_embeddings": True}
# The longer prompt just fits the window.
MISTRAL = BASE | {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "max_position_embeddings": 256, "sliding_window": 100}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
# name: (config, weights, gguf or None). Both spellings of the scaling occur: rope_scaling (transformers 4) and rope_parameters (5).
CASES = {
    "none": (BASE | {"rope_theta": 10000.0}, "f32", "none"),
    "tied": (BASE | {"rope_theta": 5000.0, "tie_word_embeddings": True}, "f32", "tied"),
    "linear": (BASE | {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5}}, "f32", "linear"),
    "dynamic": (BASE | {"rope_theta": 10000.0, "rope_scaling": {"rope_type": "dynamic", "factor": 3.0}}, "f32", None),
    "yarn": (BASE | {"max_position_embeddings": 128,
                     "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}}, "f32", "yarn"),
    "yarn_untruncated": (BASE | {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "attention_factor": 0.9,
                                                  "truncate": False, "beta_fast": 8.0, "beta_slow": 0.5}}, "f32", None),
    "yarn_mscale": (BASE | {"rope_parameters": {"rope_type": "yarn", "rope_theta": 20000.0, "factor": 4.0, "original_max_position_embeddings": 32,
                                                "mscale": 0.7, "mscale_all_dim": 0.3}}, "f32", None),
    "llama3": (BASE | {"max_position_embeddings": 256, "rope_theta": 10000.0, "rope_scaling": {"rope_type": "llama3"} | LLAMA3}, "f32", "llama3"),
    "llama3_parameters": (BASE | {"max_position_embeddings": 256, "rope_parameters": {"rope_type": "llama3", "rope_theta": 10000.0} | LLAMA3}, "f32", None),
    "f16_sharded": (BASE, "f16", None),
    "bf16": (BASE, "bf16", None),
    "wide": (WIDE, "wide", "wide"),
    "mistral": (MISTRAL, "f32", None),
    "qwen2": (QWEN2, "qwen2", "qwen2"),
    "qwen3": (QWEN3, "qwen3", "qwen3"),
    "q8_0": (BASE, None, "q8_0"),
    "q4_0": (BASE, None, "q4_0"),
}


def save_tokenizer(tokenizer: Tokenizer):
    tokenizer.save(str(OUT / "tokenizer.json"))
    (OUT / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[1], "eos_token": SPECIAL[2], "add_bos_token": False,
         "clean_up_tokenization_spaces": False, "chat_template": TEMPLATE}, indent=1) + "\n")
    (OUT / "generation_config.json").write_text(json.dumps(
        {"eos_token_id": [2, 0], "temperature": 0.6, "top_p": 0.9, "top_k": 40, "repetition_penalty": 1.1, "do_sample": True}, indent=1) + "\n")


def new_model(config: dict):
    config = json.loads(json.dumps(config))
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(config.pop("model_type"), **config), attn_implementation="eager").float()


def random_weights(config: dict, seed: int) -> dict[str, torch.Tensor]:
    """Logits differ by a few units, tied or not: by tens, f32 itself would be 1e-4 away from f64."""
    torch.manual_seed(seed)
    weights = {}
    for name, value in new_model(config).state_dict().items():
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        if name.endswith("norm.weight"):
            weights[name] = 1 + 0.2 * torch.randn(value.shape)
        elif value.dim() == 1:
            weights[name] = 0.2 * torch.randn(value.shape)
        else:
            weights[name] = torch.randn(value.shape) * (0.25 if "embed" in name else 2.0 / math.sqrt(value.shape[1]))
    return weights


def loaded(config: dict, weights: dict[str, torch.Tensor]):
    model = new_model(config)
    missing, unexpected = model.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
    model.tie_weights()
    return model.eval()


def interleaved(name: str, value: torch.Tensor, config: dict) -> torch.Tensor:
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}.get(name.split(".")[-2])
    if not heads or config["model_type"] != "llama":
        return value
    return value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)


def deinterleaved(name: str, value: torch.Tensor, config: dict) -> torch.Tensor:
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}.get(name.split(".")[-2])
    if not heads:
        return value
    return value.reshape(heads, value.shape[0] // heads // 2, 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)


def gguf_name(name: str, config: dict) -> str:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[config["model_type"].upper()], 8)
    stem, kind = name.rsplit(".", 1)
    return names.get_name(stem) + "." + kind


def rope_freqs(config: dict) -> numpy.ndarray:
    """The divisors that llama.cpp's converter writes for llama3."""
    dim = config["hidden_size"] // config["num_attention_heads"]
    factors = []
    for frequency in 1.0 / (config["rope_theta"] ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)):
        wavelength = 2 * math.pi / frequency
        original, low, high = (LLAMA3[key] for key in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(LLAMA3["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(float(1 / ((1 - smooth) / LLAMA3["factor"] + smooth)))
    return numpy.array(factors, dtype=numpy.float32)


def write_gguf(path: pathlib.Path, config: dict, tensors: list[tuple[str, numpy.ndarray, gguf.GGMLQuantizationType]], tokenizer: Tokenizer):
    writer = gguf.GGUFWriter(path, config["model_type"])
    writer.add_name("tiny " + config["model_type"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    head_dim = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    if "head_dim" in config:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    writer.add_rope_freq_base(config.get("rope_theta") or scaling.get("rope_theta") or 10000.0)
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(scaling["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    tiny.add_vocabulary(writer, tokenizer)
    for name, value, kind in tensors:
        writer.add_tensor(name, value, raw_dtype=kind)
    tiny.write_file(writer)


def split_gguf(path: pathlib.Path):
    """Into its head and the tensors, of which every other file's are a beginning."""
    data = path.read_bytes()
    offset = int(gguf.GGUFReader(path).data_offset)
    path.with_suffix(".head").write_bytes(data[:offset])
    tensors = path.parent / "tensors.bin"
    known = tensors.read_bytes() if tensors.exists() else b""
    longer, shorter = sorted([known, data[offset:]], key=len, reverse=True)
    assert longer.startswith(shorter), path
    tensors.write_bytes(longer)
    path.unlink()


def plain(config: dict, weights: dict[str, torch.Tensor]):
    """Tensors in an order that lets tied and untied, scaled and unscaled files share one blob: the optional ones last."""
    f32 = gguf.GGMLQuantizationType.F32
    tensors = [(gguf_name(name, config), interleaved(name, value, config).numpy(), f32) for name, value in weights.items() if name != "lm_head.weight"]
    if not config["tie_word_embeddings"]:
        tensors.append(("output.weight", weights["lm_head.weight"].numpy(), f32))
    if config.get("rope_scaling", {}).get("rope_type") == "llama3":
        tensors.append(("rope_freqs.weight", rope_freqs(config), f32))
    return tensors


def quantised(config: dict, weights: dict[str, torch.Tensor], kind: gguf.GGMLQuantizationType):
    """Also returns what the blocks stand for, under Hugging Face's names and in its order."""
    tensors, values = [], {}
    for name, value in weights.items():
        used = gguf.GGMLQuantizationType.F32 if value.dim() == 1 else kind
        blocks = gguf.quants.quantize(interleaved(name, value, config).contiguous().numpy(), used)
        tensors.append((gguf_name(name, config), blocks, used))
        values[name] = deinterleaved(name, torch.from_numpy(gguf.quants.dequantize(blocks, used).copy()), config)
    return tensors, values


def main():
    OUT.mkdir(exist_ok=True)
    for old in filter(pathlib.Path.is_file, OUT.iterdir()):
        old.unlink()
    tokenizer = tiny.make_tokenizer()
    save_tokenizer(tokenizer)
    weights = {"f32": random_weights(BASE, 1), "wide": random_weights(WIDE, 2), "qwen2": random_weights(QWEN2, 3), "qwen3": random_weights(QWEN3, 4)}
    weights["f16"] = {name: value.half() for name, value in weights["f32"].items()}
    weights["bf16"] = {name: value.bfloat16() for name, value in weights["f32"].items()}
    for name in ("f32", "bf16", "wide", "qwen2", "qwen3"):
        save_file(weights[name], OUT / f"{name}.safetensors", metadata={"format": "pt"})
    names = sorted(weights["f16"])
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, part in shards.items():
        save_file({name: weights["f16"][name] for name in part}, OUT / shard, metadata={"format": "pt"})
    (OUT / "model.safetensors.index.json").write_text(json.dumps(
        {"metadata": {"total_size": 0}, "weight_map": {name: shard for shard, part in shards.items() for name in part}}, indent=1) + "\n")

    cases = []
    for name, (config, kind, gguf_file) in CASES.items():
        if kind:
            values = weights[kind]
            if gguf_file:
                write_gguf(OUT / f"{gguf_file}.gguf", config, plain(config, values), tokenizer)
                if kind == "f32":
                    split_gguf(OUT / f"{gguf_file}.gguf")
        else:
            tensors, values = quantised(config, weights["f32"], gguf.GGMLQuantizationType[name.upper()])
            write_gguf(OUT / f"{gguf_file}.gguf", config, tensors, tokenizer)
        if config["tie_word_embeddings"]:
            values = {key: value for key, value in values.items() if key != "lm_head.weight"}
        model = loaded(config, values)
        cases.append({"name": name, "architecture": config["model_type"], "config": config, "weights": kind, "gguf": gguf_file}
                     | tiny.reference(model) | {"gradient": tiny.gradient(model)})
        print(name, [round(sum(row) / len(row), 3) for row in cases[-1]["logprobs"].values()])
    (OUT / "cases.json").write_text('{"prompts": ' + json.dumps(tiny.make_prompts()) + ',\n "cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")


if __name__ == "__main__":
    main()
