"""What TRL's DPOTrainer makes of tiny models in 10 steps, in f32 on a CPU, from the starting adapters of training/. Versions: requirements.txt.

Writes preference/: pairs.json, [{"prompt", "chosen", "rejected"}] of ids, in the order of training, again and again; and for each case of CASES NAME.json,
{"model" (a case of tiny_models), "start", "settings" (LLaMA-Factory's keys, and TRL's where it has none), "metrics": names, "steps": [their values as the
trainer logs them]}.

The reference of the runs is the model without the adapter, as of a new one: TRL's copy of an adapter that training starts from is taken away. Where the
settings have `ref_model_adapters`: true, it stays, and the reference is the model with the start. What LLaMA-Factory trains: make_preference_llamafactory.py.
"""

import pathlib
import tempfile

import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from make_training import Ordered
from preference_runs import OUT, SETTINGS, STARTS, TRAINER_SETTINGS, logged_steps, make_pairs, make_tokenizer, prepare, starting_model, write_rows, write_run

METRICS = ["loss", "grad_norm", "learning_rate", "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected",
           "logits/chosen", "logits/rejected", "entropy", "mean_token_accuracy", "num_tokens"]
OPTIONS = {"pref_beta": "beta", "dpo_label_smoothing": "label_smoothing"} | {
    name: name for name in ["loss_weights", "use_weighting", "f_divergence_type", "f_alpha_divergence_coef", "discopop_tau"]}  # ours: TRL's
SORTED = {"per_device_train_batch_size": 8, "learning_rate": 4e-3}  # so many, and as far from the reference, that their order differs from the reference's
ALPHA = {"f_divergence_type": "alpha_divergence"}
# name: (case of tiny_models, the case of training/ whose start it is, settings)
CASES = {
    "llama": ("none", "llama", {}),
    "qwen2": ("qwen2", "qwen2", {"pref_beta": 0.5}),
    "gpt2": ("gpt2", "gpt2", {}),
    "token_accuracy": ("gpt2", "gpt2", {"pref_loss": "sft", "learning_rate": 2e-2}),
    "start_as_reference": ("none", "llama", {"ref_model_adapters": True, "warmup_steps": 0}),
} | {
    loss: ("none", "llama_small", {"pref_loss": loss} | settings) for loss, settings in {
        "hinge": {}, "ipo": {}, "robust": {"dpo_label_smoothing": 0.1}, "exo_pair": {"dpo_label_smoothing": 1e-3}, "nca_pair": {}, "bco_pair": {},
        "sppo_hard": {"pref_beta": 0.02}, "apo_zero": {}, "apo_down": {}, "discopop": {}, "sigmoid_norm": {"pref_beta": 2.0}, "sft": {}}.items()
} | {
    name: ("none", "llama", SORTED | settings) for name, settings in {
        "aot": {"pref_loss": "aot"}, "aot_unpaired": {"pref_loss": "aot_unpaired"}, "aot_smoothed": {"pref_loss": "aot", "dpo_label_smoothing": 0.1}}.items()
} | {
    name: ("none", "llama_small", settings) for name, settings in {
        "discopop_tau": {"pref_loss": "discopop", "discopop_tau": 0.5},
        "weighted_list": {"pref_loss": ["sigmoid", "bco_pair", "sft"], "loss_weights": [0.8, 0.2, 1.0]},
        "use_weighting": {"use_weighting": True, "pref_loss": ["sigmoid"], "loss_weights": [2000.0]},  # the weights of random texts are small
        "forward_kl": {"f_divergence_type": "forward_kl"},
        "js_divergence": {"f_divergence_type": "js_divergence"},
        "alpha_divergence": ALPHA | {"f_alpha_divergence_coef": 0.5, "learning_rate": 1e-3},
        "alpha_divergence_above_1": ALPHA | {"f_alpha_divergence_coef": 1.25},
        "ipo_js_divergence": {"pref_loss": "ipo", "f_divergence_type": "js_divergence"},
        "sigmoid_norm_alpha_divergence": {"pref_loss": "sigmoid_norm", "pref_beta": 2.0, "f_alpha_divergence_coef": 0.5} | ALPHA}.items()
}


class OverIds(DPOTrainer):
    """Takes ids as they are, in their order."""

    def _prepare_dataset(self, dataset, *args, **kwargs):
        return dataset

    _get_train_sampler = Ordered._get_train_sampler


def train(directory: str, start: pathlib.Path, settings: dict, pairs: list[dict], dtype: torch.dtype) -> list[list[float]]:
    rows = Dataset.from_list([{f"{key}_ids": value for key, value in pair.items()} for pair in pairs])
    given = {key: settings[key] for key in TRAINER_SETTINGS} | {name: settings[key] for key, name in OPTIONS.items() if key in settings}
    with tempfile.TemporaryDirectory() as out:
        arguments = DPOConfig(out, use_cpu=True, report_to="none", logging_steps=1, save_strategy="no", disable_tqdm=True, seed=1, bf16=False, max_length=None,
                              gradient_checkpointing=False, optim="adamw_torch", loss_type=settings.get("pref_loss", "sigmoid"), **given)
        trainer = OverIds(starting_model(directory, start, dtype), args=arguments, train_dataset=rows, processing_class=make_tokenizer())
        if not settings.get("ref_model_adapters"):
            trainer.model.delete_adapter("ref")
        trainer.model.to(dtype)
        return logged_steps(trainer, METRICS)


def main():
    prepare()
    OUT.mkdir(exist_ok=True)
    pairs = make_pairs()
    write_rows(OUT / "pairs.json", pairs)
    for name, (model, start, changed) in CASES.items():
        settings = SETTINGS | changed
        write_run(OUT / f"{name}.json", model, f"{start}/start", settings, METRICS,
                  lambda directory: train(directory, STARTS / start / "start", settings, pairs, torch.float32))


if __name__ == "__main__":
    main()
