"""The part of train_peers.py that is DPO's: pairs of LLaMA-Factory's ranking data as ids of its template chatml, TRL's DPOTrainer with PEFT over them, and what
hearth is told. Both sequences of a pair begin with the prompt; tokens are counted in each, without padding.
"""

import json
import pathlib
import time

CUTOFF = 512
KEYS = {"stage": "dpo", "pref_loss": "sigmoid", "pref_beta": 0.1, "template": "chatml", "cutoff_len": CUTOFF}  # LLaMA-Factory's, for hearth
COLUMNS = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
INFO = {"file_name": "bench.jsonl", "formatting": "sharegpt", "ranking": True, "columns": COLUMNS}
FORMATS = {"system": "<|im_start|>system\n{}<|im_end|>\n", "human": "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", "gpt": "{}<|im_end|>\n"}


def read_rows(path, count):
    return [{column: row[column] for column in COLUMNS.values()} for row in json.loads(pathlib.Path(path).read_text())[:count]]


def cut(prompt, answer):
    """How much of each is kept, by LLaMA-Factory's rule: of the shorter part all, or a share of both."""
    if 2 * answer < CUTOFF:
        most = CUTOFF
    elif 2 * prompt < CUTOFF:
        most = CUTOFF - prompt
    else:
        most = int(CUTOFF * (answer / (prompt + answer)))
    answer = min(answer, most)
    return min(prompt, CUTOFF - answer), answer


def encode_row(row, encode):
    def ids(message):
        return encode(FORMATS[message["from"]].format(message["value"]))

    prompt = [token for message in row["conversations"] for token in ids(message)]
    chosen, rejected = ids(row["chosen"]), ids(row["rejected"])
    kept, answer = cut(len(prompt), max(len(chosen), len(rejected)))
    return {"prompt_ids": prompt[:kept], "chosen_ids": chosen[:answer], "rejected_ids": rejected[:answer]}


def tokens_of(example):
    return 2 * len(example["prompt_ids"]) + len(example["chosen_ids"]) + len(example["rejected_ids"])


def train(model, tokenizer_directory, lora, examples, settings, adapter, cached):
    """The moments at which the steps ended, and their losses. `settings` are DPOConfig's; `adapter` is the type of the adapter's weights; with `cached` the
    reference's log-probabilities are computed before the training."""
    from datasets import Dataset
    from torch.utils.data import SequentialSampler
    from transformers import AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    class OverIds(DPOTrainer):
        def _prepare_dataset(self, dataset, *args, **kwargs):
            return dataset

        def _get_train_sampler(self, *args, **kwargs):
            return SequentialSampler(self.train_dataset)

    class Clock(TrainerCallback):
        moments = []

        def on_step_end(self, *args, **kwargs):
            self.moments.append(time.perf_counter())

    arguments = DPOConfig(use_cpu=True, report_to="none", save_strategy="no", logging_steps=1, disable_tqdm=True, max_length=None, num_train_epochs=1,
                          beta=KEYS["pref_beta"], loss_type=KEYS["pref_loss"], precompute_ref_log_probs=cached,
                          gradient_checkpointing_kwargs={"use_reentrant": False}, **settings)
    trainer = OverIds(model, args=arguments, train_dataset=Dataset.from_list(examples), processing_class=AutoTokenizer.from_pretrained(tokenizer_directory),
                      peft_config=lora, callbacks=[Clock()])
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(adapter)
    trainer.train()
    return Clock.moments, [line["loss"] for line in trainer.state.log_history if "loss" in line]
