"""Writes tests/golden/peft_adapters: adapters as peft saves them for two of the tiny models, and which modules of every tiny model are linear.

Versions: requirements.txt.

adapters.json has the case of each adapter's base and what the model says of the short prompt with it. <name>/ holds adapter_config.json,
adapter_model.safetensors (for torch_bin: adapter_model.bin) and merged.safetensors: what merge_and_unload makes of
the matrices that it names, as [out, in]. Trained values are random; the adapter pissa is as it was initialised. linear_modules.json has of every
architecture (one case for each that differs) the modules that peft's "all-linear" names ({case: [path, ...]}), which is also what LLaMA-Factory's `lora_target: all` finds, but for
GPT-2, where that finds none: its Conv1D is no Linear.
"""

import json
import pathlib
import shutil
import tempfile

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

import tiny

HERE = pathlib.Path(__file__).parent
TINY = HERE / "tiny_models"
FOLDER = HERE / "peft_adapters"
Q, K, V, DOWN = (f"model.layers.{i}.{name}" for i, name in ((0, "self_attn.q_proj"), (1, "self_attn.k_proj"), (1, "self_attn.v_proj"), (0, "mlp.down_proj")))
# name: (case of the base, LoraConfig, the matrices whose merged values are kept, dtype that the file is changed to).
ADAPTERS = {
    "plain": ("none", {"r": 3, "lora_alpha": 6, "target_modules": ["v_proj", "k_proj"], "lora_dropout": 0.1}, [K, V], None),
    "bf16": ("none", {"r": 3, "lora_alpha": 6, "target_modules": ["k_proj"]}, [K], torch.bfloat16),
    "f16": ("none", {"r": 3, "lora_alpha": 6, "target_modules": ["k_proj"]}, [K], torch.float16),
    "torch_bin": ("none", {"r": 3, "lora_alpha": 6, "target_modules": ["k_proj"]}, [K], None),
    "rslora": ("none", {"r": 4, "lora_alpha": 3, "target_modules": ["k_proj", "v_proj", "o_proj"], "use_rslora": True,
                        "rank_pattern": {"layers.1.self_attn.k_proj": 2, "v_.*": 5}, "alpha_pattern": {r"layers\.1\..*": 7}}, [K, V], None),
    "dora": ("none", {"r": 2, "lora_alpha": 4, "target_modules": ["k_proj", "v_proj"], "use_dora": True}, [K, V], None),
    "regex": ("none", {"r": 2, "lora_alpha": 2, "target_modules": r".*\.(0|1)\.self_attn\.[kv]_proj", "exclude_modules": ["layers.0.self_attn.k_proj"]},
              [K, V], None),
    "layers": ("none", {"r": 2, "lora_alpha": 2, "target_modules": ["k_proj", "v_proj"], "layers_to_transform": [1], "layers_pattern": "layers"}, [K, V], None),
    "all_linear": ("none", {"r": 1, "lora_alpha": 1, "target_modules": "all-linear"}, [K], None),
    "saved": ("gpt2", {"r": 2, "lora_alpha": 4, "target_modules": ["c_attn"], "modules_to_save": ["ln_1", "wpe"], "fan_in_fan_out": True},
              ["transformer.h.1.attn.c_attn"], None),
    "gpt2": ("gpt2", {"r": 2, "lora_alpha": 4, "target_modules": "all-linear", "fan_in_fan_out": True}, ["transformer.h.1.attn.c_proj"], None),
    "pissa": ("none", {"r": 4, "lora_alpha": 8, "target_modules": ["k_proj", "down_proj"], "init_lora_weights": "pissa"}, [K, DOWN], None),
}


def cases():
    for file in ("cases.json", "architectures/cases.json"):
        yield from json.loads((TINY / file).read_text())["cases"]


def base_model(case, folder: pathlib.Path):
    (folder / "config.json").write_text(json.dumps(case["config"]))
    if "weights_parts" in case:
        blobs = [(TINY / "architectures/shared.bin").read_bytes(), (TINY / (case["weights"] + ".bin")).read_bytes()]
        (folder / "model.safetensors").write_bytes(b"".join(blobs[i][offset:offset + length] for i, offset, length in case["weights_parts"]))
    else:
        shutil.copy(TINY / (case["weights"] + ".safetensors"), folder / "model.safetensors")
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def randomise(model, generator):
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        if "magnitude" in name or "modules_to_save" in name:
            parameter.data += 0.1 * noise
        else:
            parameter.data = 0.3 * noise


def make_adapter(name, case, config, kept, dtype):
    """-> [log p(ids[i + 1] | ids[..i])] of the short prompt, with the adapter."""
    folder = FOLDER / name
    with tempfile.TemporaryDirectory() as scratch:
        base = base_model(case, pathlib.Path(scratch))
    base.name_or_path = base.config._name_or_path = "tiny"
    torch.manual_seed(0)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **config))
    if "init_lora_weights" not in config:
        randomise(model, torch.Generator().manual_seed(len(name)))
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    weights = folder / "adapter_model.safetensors"
    if dtype is not None:
        rounded = {key: value.to(dtype) for key, value in load_file(weights).items()}
        save_file(rounded, weights, metadata={"format": "pt"})
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.data = parameter.data.to(dtype).float()
    if name == "torch_bin":
        torch.save(load_file(weights), folder / "adapter_model.bin")
        weights.unlink()
    model.eval()
    ids = tiny.make_prompts()["short"]
    found = tiny.logprobs(tiny.logits(model, ids), ids)
    merged = model.merge_and_unload()
    modules = {path: merged.get_submodule(path) for path in kept}
    save_file({f"{path}.weight": (module.weight.T if isinstance(module, Conv1D) else module.weight).detach().clone().contiguous()
               for path, module in modules.items()}, folder / "merged.safetensors")
    return [round(value, 6) for value in found]


def linear_modules():
    found, seen = {}, []
    for case in cases():
        config = case["config"]
        if case["weights"] is None or "auto_map" in config:  # not in transformers
            continue
        with torch.device("meta"):
            with tempfile.TemporaryDirectory() as scratch:
                (pathlib.Path(scratch) / "config.json").write_text(json.dumps(config))
                model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(scratch))
        head = model.get_output_embeddings()
        names = [name for name, module in model.named_modules() if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head]
        if (case["architecture"], names) not in seen:
            seen.append((case["architecture"], names))
            found[case["name"]] = names
    return found


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    by_name = {case["name"]: case for case in cases()}
    found = {name: {"base": base, "logprobs": make_adapter(name, by_name[base], *rest)} for name, (base, *rest) in ADAPTERS.items()}
    (FOLDER / "adapters.json").write_text(json.dumps(found) + "\n")
    (FOLDER / "linear_modules.json").write_text(json.dumps(linear_modules(), indent=0) + "\n")


if __name__ == "__main__":
    main()
