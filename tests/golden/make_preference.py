"""What TRL's DPOTrainer makes of tiny models in 10 steps, in f32 on a CPU, from the starting adapters of training/. Versions: requirements.txt.

Writes preference/: pairs.json, [{"prompt", "chosen", "rejected"}] of ids, in the order of training, again and again; and for each case of CASES NAME.json,
{"model" (a case of tiny_models), "start", "settings" (LLaMA-Factory's keys), "metrics": names, "steps": [their values as the trainer logs them]}.

and llamafactory.json, {loss: [[chosen, rejected, beta, simpo_gamma, loss, its derivatives by both]]} of orpo and simpo, by the functions of LLaMA-Factory's own
train/dpo/trainer.py, which cannot be imported beside this TRL.

The reference of the runs is the model without the adapter, as of a new one (TRL keeps a copy of an adapter that training starts from, which is taken away).
"""

import ast
import importlib.util
import json
import os
import pathlib
import random
import shutil
import tempfile
import types

import peft
import torch
import torch.nn.functional as F
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, PrinterCallback
from transformers.utils import logging
from trl import DPOConfig, DPOTrainer

from check_adapter import tiny_model
from make_training import Log, Ordered

OUT = pathlib.Path(__file__).parent / "preference"
STARTS = pathlib.Path(__file__).parent / "training"
STEPS = 10
METRICS = ["loss", "grad_norm", "learning_rate", "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"]
SETTINGS = {"stage": "dpo", "finetuning_type": "lora", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "learning_rate": 2e-3,
            "lr_scheduler_type": "linear", "warmup_steps": 2, "max_steps": STEPS, "max_grad_norm": 1.0, "pref_beta": 0.1}
# name: (case of tiny_models, the case of training/ whose start it is, settings)
CASES = {
    "llama": ("none", "llama", {}),
    "qwen2": ("qwen2", "qwen2", {"pref_beta": 0.5}),
    "gpt2": ("gpt2", "gpt2", {}),
} | {
    loss: ("none", "llama_small", {"pref_loss": loss} | settings) for loss, settings in {
        "hinge": {}, "ipo": {}, "robust": {"dpo_label_smoothing": 0.1}, "exo_pair": {"dpo_label_smoothing": 1e-3}, "nca_pair": {}, "bco_pair": {},
        "sppo_hard": {"pref_beta": 0.02}, "apo_zero": {}, "apo_down": {}, "discopop": {}, "sigmoid_norm": {"pref_beta": 2.0}}.items()
}


def make_pairs() -> list[dict]:
    rng = random.Random(11)

    def ids(least: int, most: int) -> list[int]:
        return [rng.randrange(3, 320) for _ in range(rng.randrange(least, most))]

    return [{"prompt": ids(2, 14), "chosen": ids(1, 26), "rejected": ids(1, 26)} for _ in range(13)]


class OverIds(DPOTrainer):
    """Takes ids as they are, in their order."""

    def _prepare_dataset(self, dataset, *args, **kwargs):
        return dataset

    _get_train_sampler = Ordered._get_train_sampler


def train(directory: str, start: pathlib.Path, settings: dict, pairs: list[dict], dtype: torch.dtype) -> list[list[float]]:
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, attn_implementation="sdpa" if dtype == torch.float64 else "eager")
    model = peft.PeftModel.from_pretrained(base, start, is_trainable=True, autocast_adapter_dtype=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1}, "<pad>")), pad_token="<pad>", eos_token="<eos>")
    rows = Dataset.from_list([{f"{key}_ids": value for key, value in pair.items()} for pair in pairs])
    log = Log(METRICS)
    with tempfile.TemporaryDirectory() as out:
        given = {key: settings[key] for key in SETTINGS if key not in ("stage", "finetuning_type", "pref_beta")}
        arguments = DPOConfig(out, use_cpu=True, report_to="none", logging_steps=1, save_strategy="no", disable_tqdm=True, seed=1, bf16=False, max_length=None,
                              gradient_checkpointing=False, optim="adamw_torch", beta=settings["pref_beta"], loss_type=[settings.get("pref_loss", "sigmoid")],
                              label_smoothing=settings.get("dpo_label_smoothing", 0.0), **given)
        trainer = OverIds(model, args=arguments, train_dataset=rows, processing_class=tokenizer, callbacks=[log])
        trainer.model.delete_adapter("ref")
        trainer.model.to(dtype)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    assert len(log.steps) == STEPS, len(log.steps)
    return log.steps


def llamafactory_losses() -> dict:
    path = pathlib.Path(importlib.util.find_spec("llamafactory").origin).parent / "train" / "dpo" / "trainer.py"
    wanted = {"odds_ratio_loss": "orpo", "simpo_loss": "simpo"}
    names = {"torch": torch, "F": F}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name in wanted:
            exec(compile(ast.Module([node], []), str(path), "exec"), names)
    rows = {}
    for function, loss in wanted.items():
        rows[loss] = []
        for chosen, rejected, beta, gamma in [(-1.2, -1.5, 0.1, 0.5), (-0.05, -3.0, 0.5, 1.2), (-4.0, -0.5, 2.0, 0.0), (-1e-3, -2e-3, 0.1, 0.5), (-12.0, -0.9, 0.2, 0.3)]:
            c, r = (torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (chosen, rejected))
            value = names[function](types.SimpleNamespace(beta=beta, simpo_gamma=gamma), c, r)
            value.sum().backward()
            rows[loss].append([chosen, rejected, beta, gamma, value.item(), c.grad.item(), r.grad.item()])
    return rows


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)  # sums in one order
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    pairs = make_pairs()
    (OUT / "pairs.json").write_text("[\n" + ",\n".join(json.dumps(pair) for pair in pairs) + "\n]\n")
    (OUT / "llamafactory.json").write_text(json.dumps(llamafactory_losses(), indent=1) + "\n")
    for name, (model, start, changed) in CASES.items():
        settings = SETTINGS | changed
        with tempfile.TemporaryDirectory() as directory:
            tiny_model(model, pathlib.Path(directory))
            steps = train(directory, STARTS / start / "start", settings, pairs, torch.float32)
        print(f"{name}: loss {steps[0][0]:.4f} to {steps[-1][0]:.4f}, norms {min(s[1] for s in steps):.3g} to {max(s[1] for s in steps):.3g}", flush=True)
        run = {"model": model, "start": f"{start}/start", "settings": settings, "metrics": METRICS}
        lines = ",\n".join(json.dumps([float(f"{value:.9g}") for value in step]) for step in steps)
        (OUT / f"{name}.json").write_text(json.dumps(run)[:-1] + f',\n"steps": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
