"""What reward models of LLaMA-Factory say: trl 0.24's AutoModelForCausalLMWithValueHead over tiny models, in f32 on a CPU. Versions: requirements.txt; later ones of
trl have no value head, so 0.24 lies beside them (`dev`, golden_python).

Writes reward/cases.json: for each case {"model" (a case of tiny_models), "start" (a folder of training/, or null: the model alone), "head" (its folder), "rewards":
{prompt of tiny_models: [the value at each of its tokens]}}, and a folder with the value head as LLaMA-Factory saves it; that of `llama` also as it was before safetensors.

A case counts only where f32 is nearer to f64 than half of what the tests allow, 1e-5 (norms are f32 even in f64).
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, f"{sys.prefix}/trl-0.24")

import peft
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging
from trl import AutoModelForCausalLMWithValueHead

from check_adapter import tiny_model
from tiny import make_prompts

OUT = pathlib.Path(__file__).parent / "reward"
STARTS = pathlib.Path(__file__).parent / "training"
# name: (case of tiny_models, the case of training/ whose start it is). Logits of granite and cohere have a factor, which is none of the value head's.
CASES = {"llama": ("none", "llama"), "gpt2": ("gpt2", "gpt2"), "granite": ("granite", None), "cohere": ("cohere", None)}
NEAR = 5e-6


def values(model, ids: list[int]) -> list[float]:
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False)[-1][0].tolist()


def reward_model(directory: str, start: str | None, seed: int):
    """As LLaMA-Factory's load_model puts it together."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    if start:
        model = peft.PeftModel.from_pretrained(model, STARTS / start / "start")
    torch.manual_seed(seed)
    return AutoModelForCausalLMWithValueHead.from_pretrained(model).eval()


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)  # sums in one order
    shutil.rmtree(OUT, ignore_errors=True)
    cases = {}
    for seed, (name, (base, start)) in enumerate(CASES.items()):
        with tempfile.TemporaryDirectory() as directory:
            tiny_model(base, pathlib.Path(directory))
            model = reward_model(directory, start, seed)
        head = {key: value.clone() for key, value in model.state_dict().items() if key.startswith("v_head.")}
        (OUT / name).mkdir(parents=True)
        save_file(head, OUT / name / "value_head.safetensors", metadata={"format": "pt"})
        if name == "llama":
            (OUT / "torch_bin").mkdir()
            torch.save(head, OUT / "torch_bin" / "value_head.bin")
        found = {prompt: values(model, ids) for prompt, ids in make_prompts().items()}
        model.double()
        error = max(abs(a - b) for prompt, ids in make_prompts().items() for a, b in zip(found[prompt], values(model, ids)))
        assert error < NEAR, f"{name}: f32 is {error:.1g} away from f64"
        print(f"{name}: {min(found['long']):.3f} to {max(found['long']):.3f}, f32 {error:.1g} away from f64")
        rewards = {prompt: [float(f"{value:.9g}") for value in row] for prompt, row in found.items()}
        cases[name] = {"model": base, "start": start and f"{start}/start", "head": name, "rewards": rewards}
    (OUT / "cases.json").write_text("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()) + "\n}\n")


if __name__ == "__main__":
    main()
