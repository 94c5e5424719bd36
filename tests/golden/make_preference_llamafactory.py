"""What LLaMA-Factory's own trainers of preferences make of tiny models in 10 steps, in f32 on a CPU, from the starting adapters of training/.

    pip install --no-deps llamafactory==0.9.5; make_preference_llamafactory.py          (the rest: requirements.txt)

Its TRL is not make_preference.py's but the newest that LLaMA-Factory takes (llamafactory_environment.py). LLaMA-Factory does not
tell that one the loss, so hinge and ipo would be sigmoid: they are not run. Writes into preference/
  lf_NAME.json        a run of CASES, as make_preference.py writes its own, over pairs.json (stages dpo and rm) or kto.json
  kto.json            [{"prompt", "answer", "kl_answer" (the answer before it), "desirable"}] of ids, in the order of training, again and again. Batches of 4
                      have both tags, but for the third, which has undesirable answers only
  reward_start/       the adapter and the value head that the reward model starts from; the head's dropout of the hidden states, 0.1 in TRL, is 0 here
  llamafactory.json   {loss: [[chosen, rejected, beta, simpo_gamma, loss, its derivatives by both]]} of orpo and simpo
  kto_pair.json       [{"beta", "policy", "reference": [chosen of the batch, rejected of the batch], "loss": mean, "derivatives": by the policy's}]: a loss that
                      LLaMA-Factory names, by the function of KTO_PAIRS_TRL, the version whose loss that was
"""

import ast
import json
import pathlib
import random
import shutil
import tempfile
import types

KTO_PAIRS_TRL = "trl==0.8.6"

from llamafactory_environment import fetched

import torch
import torch.nn.functional as F
from llamafactory.data import KTODataCollatorWithPadding, PairwiseDataCollatorWithPadding, get_template_and_fix_tokenizer
from llamafactory.extras.constants import V_HEAD_SAFE_WEIGHTS_NAME
from llamafactory.hparams import DataArguments, FinetuningArguments
from llamafactory.model.patcher import patch_valuehead_model
from llamafactory.train.dpo.trainer import CustomDPOTrainer
from llamafactory.train.kto.trainer import CustomKTOTrainer
from llamafactory.train.rm.trainer import PairwiseTrainer
from safetensors.torch import load_file, save_file
from transformers import TrainingArguments
from trl import AutoModelForCausalLMWithValueHead

from preference_runs import OUT, SETTINGS, STARTS, TRAINER_SETTINGS, logged_steps, make_pairs, make_tokenizer, prepare, starting_model, write_rows, write_run

COMMON = ["loss", "grad_norm", "learning_rate"]
PAIRED = COMMON + ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"]
METRICS = {"dpo": PAIRED, "rm": COMMON, "kto": [name for name in PAIRED if name != "rewards/accuracies"] + ["kl"]}
KTO = {"stage": "kto", "per_device_train_batch_size": 4}
REWARD_START = OUT / "reward_start"
# name: (case of tiny_models, the start, settings)
CASES = {
    "sigmoid": ("none", "llama/start", {"pref_loss": "sigmoid"}),
    "sigmoid_qwen2": ("qwen2", "qwen2/start", {"pref_loss": "sigmoid"}),
    "sigmoid_gpt2": ("gpt2", "gpt2/start", {"pref_loss": "sigmoid"}),
    "kto": ("none", "llama/start", KTO | {"kto_chosen_weight": 1.3, "kto_rejected_weight": 0.7}),
    "kto_qwen2": ("qwen2", "qwen2/start", KTO),
    "kto_gpt2": ("gpt2", "gpt2/start", KTO),
    "kto_ftx": ("none", "llama_small/start", KTO | {"pref_ftx": 0.5}),
    "reward": ("none", f"../preference/{REWARD_START.name}", {"stage": "rm"}),
} | {
    name: ("none", "llama_small/start", settings) for name, settings in {
        "sigmoid_smoothed": {"pref_loss": "sigmoid", "dpo_label_smoothing": 0.1},
        "orpo": {"pref_loss": "orpo"},
        "orpo_ftx": {"pref_loss": "orpo", "pref_ftx": 0.5},
        "simpo": {"pref_loss": "simpo", "pref_beta": 2.0, "simpo_gamma": 0.5},
        "sigmoid_ftx": {"pref_loss": "sigmoid", "pref_ftx": 0.5},
        "sigmoid_bco": {"pref_loss": "sigmoid", "pref_bco_weight": 0.5},
        "sigmoid_ld_alpha": {"pref_loss": "sigmoid", "ld_alpha": 0.5}}.items()
}


def metrics_of(settings: dict) -> list[str]:
    return METRICS[settings["stage"]] + (["sft_loss", "odds_ratio_loss"] if settings.get("pref_loss") == "orpo" else [])


def make_kto_examples() -> list[dict]:
    rng = random.Random(18)

    def ids(least: int, most: int) -> list[int]:
        return [rng.randrange(3, 320) for _ in range(rng.randrange(least, most))]

    tags = [True, False, True, True, False, False, True, False, False, False, False, False, True, False, True, False, False, True, True, True, True, False]
    prompts, answers = ([ids(2, 14) for _ in tags] for _ in range(2))
    answers = [answer + ids(0, 12) for answer in answers]
    return [{"prompt": prompts[i], "answer": answers[i], "kl_answer": answers[i - 1], "desirable": tag} for i, tag in enumerate(tags)]


def features(prompt: list[int], answer: list[int], prefix: str) -> dict:
    """As LLaMA-Factory's processors make of one text."""
    return {f"{prefix}input_ids": prompt + answer, f"{prefix}attention_mask": [1] * len(prompt + answer), f"{prefix}labels": [-100] * len(prompt) + answer}


def features_of_pair(pair: dict) -> dict:
    files = {"images": None, "videos": None, "audios": None}
    return features(pair["prompt"], pair["chosen"], "chosen_") | features(pair["prompt"], pair["rejected"], "rejected_") | files


def features_of_kto(example: dict) -> dict:
    both = features(example["prompt"], example["answer"], "") | features(example["prompt"], example["kl_answer"], "kl_")
    return both | {"kto_tags": example["desirable"], "images": None, "videos": None, "audios": None}


def make_reward_start():
    shutil.rmtree(REWARD_START, ignore_errors=True)
    shutil.copytree(STARTS / "llama_small" / "start", REWARD_START)
    torch.manual_seed(17)
    save_file({"v_head.summary.weight": 0.2 * torch.randn(1, 64), "v_head.summary.bias": torch.tensor([0.1])}, REWARD_START / V_HEAD_SAFE_WEIGHTS_NAME,
              metadata={"format": "pt"})


def with_value_head(model, start: pathlib.Path):
    model = AutoModelForCausalLMWithValueHead.from_pretrained(model)
    patch_valuehead_model(model)
    found = model.load_state_dict(load_file(start / V_HEAD_SAFE_WEIGHTS_NAME), strict=False)
    assert not found.unexpected_keys and not any("v_head" in key for key in found.missing_keys), found
    model.v_head.dropout.p = 0.0
    return model


def train(directory: str, start: pathlib.Path, settings: dict, rows: dict[str, list[dict]]) -> list[list[float]]:
    stage, model, tokenizer = settings["stage"], starting_model(directory, start, torch.float32), make_tokenizer()
    if stage == "rm":
        model = with_value_head(model, start)
    collator = (KTODataCollatorWithPadding if stage == "kto" else PairwiseDataCollatorWithPadding)(
        template=get_template_and_fix_tokenizer(tokenizer, DataArguments(template="empty")), model=model, pad_to_multiple_of=8, tokenizer=tokenizer)
    trainer, reference = {"dpo": (CustomDPOTrainer, {"ref_model": None}), "kto": (CustomKTOTrainer, {"ref_model": None}), "rm": (PairwiseTrainer, {})}[stage]
    chosen = {key: value for key, value in settings.items() if key not in TRAINER_SETTINGS}
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(out, use_cpu=True, report_to="none", logging_steps=1, save_strategy="no", disable_tqdm=True, seed=1, bf16=False,
                                      optim="adamw_torch", remove_unused_columns=False, dataloader_pin_memory=False,
                                      **{key: settings[key] for key in TRAINER_SETTINGS})
        made = trainer(model=model, args=arguments, finetuning_args=FinetuningArguments(disable_shuffling=True, **chosen), processor=None, tokenizer=tokenizer,
                       data_collator=collator, train_dataset=rows[stage], **reference)
        return logged_steps(made, metrics_of(settings))


def derivatives(policy: list[list[float]], loss_of) -> tuple[float, list[list[float]]]:
    """A mean loss of [chosen, rejected] and its derivatives."""
    chosen, rejected = (torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in policy)
    loss = loss_of(chosen, rejected).mean()
    loss.backward()
    return loss.item(), [chosen.grad.tolist(), rejected.grad.tolist()]


def odds_losses() -> dict:
    rows = {}
    for loss, function in {"orpo": CustomDPOTrainer.odds_ratio_loss, "simpo": CustomDPOTrainer.simpo_loss}.items():
        rows[loss] = []
        for chosen, rejected, beta, gamma in [(-1.2, -1.5, 0.1, 0.5), (-0.05, -3.0, 0.5, 1.2), (-4.0, -0.5, 2.0, 0.0), (-1e-3, -2e-3, 0.1, 0.5),
                                              (-12.0, -0.9, 0.2, 0.3)]:
            trainer = types.SimpleNamespace(beta=beta, simpo_gamma=gamma)
            value, ((dchosen,), (drejected,)) = derivatives([[chosen], [rejected]], lambda c, r: function(trainer, c, r))
            rows[loss].append([chosen, rejected, beta, gamma, value, dchosen, drejected])
    return rows


def kto_pair_function():
    source = (fetched(KTO_PAIRS_TRL) / "trl" / "trainer" / "dpo_trainer.py").read_text()
    function = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.name == "dpo_loss")
    names = {"torch": torch, "F": F, "Tuple": tuple}
    exec(compile(ast.Module([function], []), KTO_PAIRS_TRL, "exec"), names)
    return names["dpo_loss"]


def kto_pair_losses() -> list[dict]:
    function, rows = kto_pair_function(), []
    # Both means above the reference's, one of either sign, both below it, and far away.
    for beta, policy, reference in [(0.1, [[-10.0, -20.0, -7.5], [-9.0, -31.0, -12.0]], [[-11.0, -23.0, -7.0], [-12.0, -30.0, -15.0]]),
                                    (0.5, [[-10.0, -20.0, -7.5], [-9.0, -31.0, -12.0]], [[-11.0, -18.0, -9.0], [-8.0, -25.0, -11.0]]),
                                    (0.3, [[-14.0, -22.0, -9.5], [-9.0, -28.0, -12.0]], [[-11.0, -20.0, -9.0], [-12.0, -30.0, -10.0]]),
                                    (0.2, [[-14.0, -22.0, -9.5], [-19.0, -38.0, -12.0]], [[-11.0, -23.0, -9.0], [-12.0, -30.0, -15.0]]),
                                    (2.0, [[-40.0, -2.0, -9.5], [-1.0, -90.0, -12.0]], [[-10.0, -30.0, -9.0], [-30.0, -10.0, -11.0]])]:
        trainer = types.SimpleNamespace(beta=beta, loss_type="kto_pair", reference_free=False, label_smoothing=0.0, accelerator=types.SimpleNamespace(device="cpu"))
        others = [torch.tensor(values, dtype=torch.float64) for values in reference]
        value, found = derivatives(policy, lambda c, r: function(trainer, c, r, *others)[0])
        rows.append({"beta": beta, "policy": policy, "reference": reference, "loss": value, "derivatives": found})
    return rows


def main():
    prepare()
    OUT.mkdir(exist_ok=True)
    (OUT / "llamafactory.json").write_text(json.dumps(odds_losses(), indent=1) + "\n")
    write_rows(OUT / "kto_pair.json", kto_pair_losses())
    kto = make_kto_examples()
    write_rows(OUT / "kto.json", kto)
    make_reward_start()
    pairs = [features_of_pair(pair) for pair in make_pairs()]
    rows = {"dpo": pairs, "rm": pairs, "kto": [features_of_kto(example) for example in kto]}
    for name, (model, start, changed) in CASES.items():
        settings = SETTINGS | changed
        write_run(OUT / f"lf_{name}.json", model, start, settings, metrics_of(settings), lambda directory: train(directory, STARTS / start, settings, rows))


if __name__ == "__main__":
    main()
