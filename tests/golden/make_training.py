"""What transformers' Trainer and PEFT make of tiny models in 20 steps, in f32 on a CPU. Versions: requirements.txt.

Writes training/: examples.json, [{"input_ids", "labels"}], in the order of training, again and again: 20 steps are more than three epochs, whose last batch
is not full and whose last step has one batch instead of two. For each case of CASES a folder of its name with
  start, final   the adapter before and after, as PEFT saves it (start: where the case names no other's; final: of the architectures)
  run.json       {"model" (a case of tiny_models), "start" (a folder, or null), "settings" (LLaMA-Factory's keys), "steps": [[loss, grad_norm,
                 learning_rate]] as Trainer logs them, "changes": of every trained tensor, under the model's or the saved adapter's name, {"norm", "values":
                 of its SAMPLES evenly spaced entries in row-major order as the file has them}}
and training/refused: adapters that fit none of the models, by their shapes or by their names.

Every run is repeated in f64. It counts only where f32 is nearer than a tenth of what the tests allow: 1e-4 of each loss and norm, 1e-3 of each change.
"""

import json
import os
import pathlib
import random
import shutil
import tempfile

import peft
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

from check_adapter import tiny_model

OUT = pathlib.Path(__file__).parent / "training"
STEPS, SAMPLES = 20, 4
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SETTINGS = {"stage": "sft", "finetuning_type": "lora", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "learning_rate": 2e-3,
            "lr_scheduler_type": "linear", "warmup_steps": 2, "adam_epsilon": 1e-8, "max_steps": STEPS, "max_grad_norm": 1.0, "weight_decay": 0.0, "label_smoothing_factor": 0.0}
LORA = {"lora_rank": 8, "lora_alpha": 16, "lora_target": LINEARS}
SMALL = {"lora_rank": 2, "lora_alpha": 4, "lora_target": LINEARS}
# name: (case of tiny_models, settings, the case whose start it shares)
CASES = {
    "llama": ("none", LORA, None),
    "qwen2": ("qwen2", LORA | {"lora_rank": 4, "weight_decay": 0.1}, None),
    "gpt2": ("gpt2", LORA | {"lora_target": ["c_attn", "c_proj", "c_fc"]}, None),
    "gemma3": ("gemma3", LORA | {"lora_rank": 4, "lora_alpha": 16}, None),
    "llama_small": ("none", SMALL | {"max_grad_norm": 0.0}, None),
    "label_smoothing": ("none", SMALL | {"label_smoothing_factor": 0.1}, "llama_small"),
    "pretraining": ("none", SMALL | {"stage": "pt"}, "llama_small"),
    "rslora": ("none", SMALL | {"use_rslora": True}, None),
    "dora": ("none", SMALL | {"use_dora": True}, None),
    "modules_to_save": ("mistral_full", SMALL | {"lora_target": ["q_proj", "v_proj"], "additional_target": ["embed_tokens", "lm_head"]}, None),
    "full": ("none", {"finetuning_type": "full", "weight_decay": 0.5, "learning_rate": 1e-3}, None),
    "full_tied": ("gemma3", {"finetuning_type": "full", "learning_rate": 1e-3}, None),
    # The gradient of the keys' bias is rounding alone, which Adam would otherwise magnify.
    "full_gpt2": ("gpt2", {"finetuning_type": "full", "learning_rate": 1e-3, "adam_epsilon": 1e-5}, None),
    "freeze": ("none", {"finetuning_type": "freeze", "freeze_trainable_layers": 1}, None),
}
KEEPS_FINAL = {"llama", "qwen2", "gpt2", "gemma3"}


def make_examples() -> list[dict]:
    rng = random.Random(7)
    examples = []
    for length in [23, 5, 60, 31, 12, 47, 8, 19, 54, 6, 38, 27, 15, 42, 10, 57, 33, 21, 9, 50, 29]:
        ids = [rng.randrange(3, 320) for _ in range(length)]
        prompt = rng.randrange(1, length - 2)
        examples.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    return examples


def collate(batch: list[dict]) -> dict[str, torch.Tensor]:
    """Right-padded to a multiple of 8, as LLaMA-Factory's collator does."""
    width = -max(len(example["input_ids"]) for example in batch) // 8 * -8

    def padded(rows, filler):
        return torch.tensor([row + [filler] * (width - len(row)) for row in rows])

    return {"input_ids": padded([example["input_ids"] for example in batch], 0), "labels": padded([example["labels"] for example in batch], -100),
            "attention_mask": padded([[1] * len(example["input_ids"]) for example in batch], 0)}


class Ordered(Trainer):
    """LLaMA-Factory's disable_shuffling."""

    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)


class Log(TrainerCallback):
    def __init__(self, names=("loss", "grad_norm", "learning_rate")):
        self.names, self.steps = names, []

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "grad_norm" in logs:
            self.steps.append([float(logs[name]) for name in self.names])


def lora_config(settings: dict) -> peft.LoraConfig:
    return peft.LoraConfig(task_type="CAUSAL_LM", r=settings["lora_rank"], lora_alpha=settings["lora_alpha"], target_modules=settings["lora_target"],
                           modules_to_save=settings.get("additional_target"), use_rslora=settings.get("use_rslora", False),
                           use_dora=settings.get("use_dora", False), fan_in_fan_out="c_attn" in settings["lora_target"])


def save_adapter(model: peft.PeftModel, directory: pathlib.Path, base: str):
    """Without what changes from run to run: the model's card, its path, the order of names."""
    model.save_pretrained(directory)
    (directory / "README.md").unlink()
    path = directory / "adapter_config.json"
    config = json.loads(path.read_text()) | {"base_model_name_or_path": f"tiny-{base}"}
    config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def make_start(base, settings: dict, directory: pathlib.Path, name: str, seed: int):
    """B is not zero, so that gradients reach everything from the first step."""
    torch.manual_seed(seed)
    model = peft.get_peft_model(base, lora_config(settings))
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name:
                parameter.normal_(std=0.1)
            elif "magnitude" in parameter_name:
                parameter.mul_(1 + 0.05 * torch.randn(parameter.shape))
    save_adapter(model, directory, name)


def trainable_model(base, settings: dict, start: pathlib.Path | None, dtype: torch.dtype):
    base = base.to(dtype)
    if start:
        return peft.PeftModel.from_pretrained(base, start, is_trainable=True, autocast_adapter_dtype=False)
    if settings["finetuning_type"] == "freeze":
        layers = base.config.num_hidden_layers
        kept = [f".{i}." for i in range(layers - settings["freeze_trainable_layers"], layers)]
        for name, parameter in base.named_parameters():
            parameter.requires_grad_(any(layer in name for layer in kept))
    return base


def tensors_of(model) -> dict[str, torch.Tensor]:
    """What is trained, by the names that the adapter's or the model's file has."""
    if isinstance(model, peft.PeftModel):
        found = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    else:
        found = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return {name: value.detach().clone() for name, value in found.items()}


def train(base, settings: dict, start: pathlib.Path | None, examples: list[dict], dtype: torch.dtype):
    model = trainable_model(base, settings, start, dtype).to(dtype)
    before, log = tensors_of(model), Log()
    with tempfile.TemporaryDirectory() as directory:
        given = {key: settings[key] for key in SETTINGS if key not in ("stage", "finetuning_type")}
        arguments = TrainingArguments(directory, use_cpu=True, report_to="none", logging_steps=1, save_strategy="no", disable_tqdm=True, seed=1,
                                      remove_unused_columns=False, dataloader_pin_memory=False, optim="adamw_torch", **given)
        if settings["stage"] == "pt":
            examples = [{"input_ids": example["input_ids"], "labels": example["input_ids"]} for example in examples]
        trainer = Ordered(model, arguments, data_collator=collate, train_dataset=examples, callbacks=[log])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    assert len(log.steps) == STEPS
    return model, log.steps, {name: value - before[name] for name, value in tensors_of(model).items()}


def check_precision(name: str, steps, precise_steps, changes, precise_changes):
    for (loss, norm, _), (precise_loss, precise_norm, _) in zip(steps, precise_steps):
        assert abs(loss / precise_loss - 1) < 1e-4 and abs(norm / precise_norm - 1) < 1e-4, (name, loss, precise_loss, norm, precise_norm)
    worst = max(((value - precise_changes[key]).norm() / precise_changes[key].norm()).item() for key, value in changes.items())
    print(f"{name}: loss {steps[0][0]:.4f} to {steps[-1][0]:.4f}, norms {min(s[1] for s in steps):.3f} to {max(s[1] for s in steps):.3f}, "
          f"f64's changes are {worst:.1g} away", flush=True)
    assert worst < 1e-3, (name, worst)


def places(size: int) -> list[int]:
    return sorted({i * size // SAMPLES for i in range(SAMPLES)})


def summary(change: torch.Tensor) -> dict:
    flat = change.flatten()
    return {"norm": float(f"{flat.norm().item():.6g}"), "values": [float(f"{flat[i].item():.5g}") for i in places(flat.numel())]}


def make_case(name: str, examples: list[dict], seed: int):
    model_name, changed, shared = CASES[name]
    settings = SETTINGS | changed
    folder = OUT / name
    folder.mkdir()
    with tempfile.TemporaryDirectory() as directory:
        tiny_model(model_name, pathlib.Path(directory))

        def base(attention="eager"):
            return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation=attention)

        start = None
        if settings["finetuning_type"] == "lora":
            start = OUT / (shared or name) / "start"
            if not shared:
                make_start(base(), settings, start, model_name, seed)
        # In f64 the eager softmax would be f32's, for which the mask's least double is infinite.
        model, steps, changes = train(base(), settings, start, examples, torch.float32)
        _, precise_steps, precise_changes = train(base("sdpa"), settings, start, examples, torch.float64)
    check_precision(name, steps, precise_steps, changes, precise_changes)
    if name in KEEPS_FINAL:
        save_adapter(model, folder / "final", model_name)
        saved, begun = load_file(folder / "final" / "adapter_model.safetensors"), load_file(start / "adapter_model.safetensors")
        assert saved.keys() == begun.keys() == changes.keys(), saved.keys() ^ changes.keys()
        assert all(torch.equal(value - begun[key], changes[key]) for key, value in saved.items())
    run = {"model": model_name, "start": f"{start.parent.name}/start" if start else None, "settings": settings}
    step_lines = ",\n".join(json.dumps([float(f"{value:.9g}") for value in step]) for step in steps)
    change_lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(summary(value))}" for key, value in sorted(changes.items()))
    (folder / "run.json").write_text(json.dumps(run)[:-1] + f',\n"steps": [\n{step_lines}\n],\n"changes": {{\n{change_lines}\n}}}}\n')


def make_refused():
    sizes = {"vocab_size": 320, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=1, lora_alpha=2, target_modules=["q_proj", "v_proj"])
    torch.manual_seed(1)
    save_adapter(peft.get_peft_model(LlamaForCausalLM(LlamaConfig(hidden_size=48, **sizes)), config), OUT / "refused" / "shapes", "of-48")
    model = LlamaForCausalLM(LlamaConfig(hidden_size=64, **sizes))
    for layer in model.model.layers:
        layer.attention = layer.self_attn
        del layer.self_attn
    save_adapter(peft.get_peft_model(model, config), OUT / "refused" / "names", "of-other-names")


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)  # sums in one order
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    examples = make_examples()
    (OUT / "examples.json").write_text("[\n" + ",\n".join(json.dumps(example) for example in examples) + "\n]\n")
    for seed, name in enumerate(CASES):
        make_case(name, examples, seed)
    make_refused()


if __name__ == "__main__":
    main()
