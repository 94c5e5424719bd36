"""Loads an adapter with PEFT and prints what the model with it makes of token ids: {"base": [mean log p of each row], "adapted": [...]}.

  check_adapter.py BASE ADAPTER IDS.json      BASE: a directory of Hugging Face's, or tiny:NAME of tiny_models; IDS: [[id, ...], ...]

Exit code 1, and a line for each, where the adapter lacks tensors that its configuration calls for or brings others or other shapes.
"""

import json
import pathlib
import sys
import tempfile

import peft
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

TINY = pathlib.Path(__file__).parent / "tiny_models"


def assembled(case: dict, parts: list) -> bytes:
    blobs = [(TINY / "architectures/shared.bin").read_bytes(), (TINY / f"{case['weights']}.bin").read_bytes()]
    return b"".join(blobs[blob][offset : offset + length] for blob, offset, length in parts)


def tiny_model(name: str, directory: pathlib.Path):
    """Puts together the directory of a case of tiny_models whose weights are one file."""
    cases = json.loads((TINY / "cases.json").read_text())["cases"] + json.loads((TINY / "architectures/cases.json").read_text())["cases"]
    case = next(case for case in cases if case["name"] == name)
    (directory / "config.json").write_text(json.dumps(case["config"] | {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}))
    weights = assembled(case, case["weights_parts"]) if "weights_parts" in case else (TINY / f"{case['weights']}.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(weights)


def mean_logprobs(model, rows: list[list[int]]) -> list[float]:
    found = []
    for ids in rows:
        with torch.no_grad():
            logprobs = model(torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)
        found.append(round(logprobs[:-1].gather(1, torch.tensor(ids)[1:, None]).mean().item(), 6))
    return found


def differences(model: peft.PeftModel, directory: pathlib.Path) -> list[str]:
    """Between what the adapter's file has and what PEFT would save."""
    saved = {name: tuple(value.shape) for name, value in load_file(directory / "adapter_model.safetensors").items()}
    wanted = {name: tuple(value.shape) for name, value in peft.get_peft_model_state_dict(model, save_embedding_layers=False).items()}
    return ([f"missing: {name}" for name in sorted(wanted.keys() - saved.keys())] + [f"unexpected: {name}" for name in sorted(saved.keys() - wanted.keys())]
            + [f"{name} is {list(saved[name])}, wanted {list(wanted[name])}" for name in sorted(saved.keys() & wanted.keys()) if saved[name] != wanted[name]])


def check(base: pathlib.Path, adapter: pathlib.Path, rows: list[list[int]]) -> dict:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
    plain = mean_logprobs(model, rows)
    wrapped = peft.get_peft_model(model, peft.PeftConfig.from_pretrained(adapter))
    if found := differences(wrapped, adapter):
        sys.exit("\n".join(found))
    wrapped.load_adapter(adapter, "default")
    return {"base": plain, "adapted": mean_logprobs(wrapped.eval(), rows)}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    base, adapter, ids = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        if base.startswith("tiny:"):
            tiny_model(base.removeprefix("tiny:"), pathlib.Path(directory))
            base = directory
        print(json.dumps(check(pathlib.Path(base), pathlib.Path(adapter), json.loads(pathlib.Path(ids).read_text()))))


if __name__ == "__main__":
    main()
