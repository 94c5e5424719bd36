"""What the scripts of preference/ share: the pairs, the settings, the model that training starts from, and how a run is written."""

import json
import os
import pathlib
import random
import tempfile

import peft
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, PrinterCallback
from transformers.utils import logging

from check_adapter import tiny_model
from make_training import Log

OUT = pathlib.Path(__file__).parent / "preference"
STARTS = pathlib.Path(__file__).parent / "training"
STEPS = 10
SETTINGS = {"stage": "dpo", "finetuning_type": "lora", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "learning_rate": 2e-3,
            "lr_scheduler_type": "linear", "warmup_steps": 2, "max_steps": STEPS, "max_grad_norm": 1.0, "pref_beta": 0.1}
TRAINER_SETTINGS = [key for key in SETTINGS if key not in ("stage", "finetuning_type", "pref_beta")]  # those that transformers' trainer has by the same names


def make_pairs() -> list[dict]:
    rng = random.Random(11)

    def ids(least: int, most: int) -> list[int]:
        return [rng.randrange(3, 320) for _ in range(rng.randrange(least, most))]

    return [{"prompt": ids(2, 14), "chosen": ids(1, 26), "rejected": ids(1, 26)} for _ in range(13)]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Only what pads."""
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1}, "<pad>")), pad_token="<pad>", eos_token="<eos>")


def starting_model(directory: str, start: pathlib.Path, dtype: torch.dtype) -> peft.PeftModel:
    """f64's attention is torch's own: the eager softmax is f32's."""
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, attn_implementation="sdpa" if dtype == torch.float64 else "eager")
    return peft.PeftModel.from_pretrained(base, start, is_trainable=True, autocast_adapter_dtype=False)


def logged_steps(trainer, metrics: list[str]) -> list[list[float]]:
    """What the trainer logs of each step."""
    log = Log(metrics)
    trainer.add_callback(log)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert len(log.steps) == STEPS, len(log.steps)
    return log.steps


def write_rows(path: pathlib.Path, rows: list[dict]):
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def write_run(path: pathlib.Path, model: str, start: str, settings: dict, metrics: list[str], train):
    """`train` makes the steps, given the model's directory."""
    with tempfile.TemporaryDirectory() as directory:
        tiny_model(model, pathlib.Path(directory))
        steps = train(directory)
    print(f"{path.stem}: loss {steps[0][0]:.4f} to {steps[-1][0]:.4f}, norms {min(s[1] for s in steps):.3g} to {max(s[1] for s in steps):.3g}", flush=True)
    run = {"model": model, "start": start, "settings": settings, "metrics": metrics}
    lines = ",\n".join(json.dumps([float(f"{value:.9g}") for value in step]) for step in steps)
    path.write_text(json.dumps(run)[:-1] + f',\n"steps": [\n{lines}\n]}}\n')


def prepare():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)  # sums in one order
