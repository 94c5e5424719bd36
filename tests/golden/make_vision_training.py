"""What LLaMA-Factory makes of tiny models that see in 10 steps, from its YAML keys to the losses, in f32 on a CPU.

    pip install --no-deps llamafactory==0.9.5; make_vision_training.py [case ...]          (the rest: requirements.txt)

Its image processors are replaced by transformers' PIL ones, which are vision/'s. Writes vision_training/: data/ (dataset_info.json, rows.json, pairs.json; the
pictures are vision/cases.json's, as NAME.png), the adapters that training starts from (NAME_start), and for each case of CASES NAME.json: {"model": a case of
vision/, "start": a folder or null, "settings": its keys, "examples": [{"input_ids", "labels"}] as it encodes them (pairs: chosen, then rejected), "metrics",
"steps": [their values]}. Versions: requirements.txt; TRL is llamafactory_environment.py's.
"""

import base64
import json
import pathlib
import shutil
import sys
import tempfile

import llamafactory_environment  # noqa: F401
import peft
import torch
import transformers
from llamafactory.model import loader
from llamafactory.train.tuner import run_exp
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast, PrinterCallback

import make_vision

GOLDEN = pathlib.Path(__file__).parent
OUT = GOLDEN / "vision_training"
STEPS = 10
SETTINGS = {"stage": "sft", "do_train": True, "finetuning_type": "lora", "dataset": "rows", "cutoff_len": 1024, "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 2, "learning_rate": 2e-3, "lr_scheduler_type": "linear", "warmup_steps": 2, "max_steps": STEPS, "max_grad_norm": 1.0,
            "logging_steps": 1, "save_strategy": "no", "disable_shuffling": True, "disable_gradient_checkpointing": True}
FULL = {"finetuning_type": "full", "learning_rate": 5e-4}
UNFROZEN = {"freeze_vision_tower": False, "freeze_multi_modal_projector": False}
DPO = {"stage": "dpo", "dataset": "pairs", "pref_beta": 0.1, "pref_loss": "sigmoid"}
PAIRED = ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"]
# name: (model, template, the adapter's own targets or null, settings)
CASES = {
    "llava_lora": ("llava", "llava", [], {}),
    "llava_full": ("llava", "llava", None, FULL | UNFROZEN),
    "llava_language": ("llava", "llava", None, FULL),
    "llava_projector": ("llava", "llava", None, FULL | {"freeze_language_model": True, "freeze_multi_modal_projector": False}),
    "llava_lora_everywhere": ("llava", "llava", ["q_proj", "v_proj", "linear_1", "fc1"], UNFROZEN | {"lora_target": "q_proj,v_proj,linear_1,fc1"}),
    "siglip_limits": ("llava_siglip", "llava", None, FULL | UNFROZEN | {"image_max_pixels": 1200, "image_min_pixels": 1100}),
    "llava_next_lora": ("llava_next", "llava_next_mistral", [], {}),
    "llava_next_full": ("llava_next", "llava_next_mistral", None, FULL | UNFROZEN),
    "qwen2_vl_lora": ("qwen2_vl", "qwen2_vl", [], {}),
    "qwen2_vl_full": ("qwen2_vl", "qwen2_vl", None, FULL | UNFROZEN),
    "qwen2_5_vl_lora_everywhere": ("qwen2_5_vl", "qwen2_vl", ["qkv", "gate_proj"], UNFROZEN | {"lora_target": "qkv,gate_proj"}),
    "llava_dpo": ("llava", "llava", [], DPO),
    "llava_dpo_full": ("llava", "llava", None, DPO | FULL | UNFROZEN),
    "qwen2_vl_dpo": ("qwen2_vl", "qwen2_vl", [], DPO),
}


def turns(*texts: str) -> list[dict]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


ROWS = [
    {"messages": turns("<image>Who is on the mat?", "The cat sat on the mat."), "images": ["landscape.png"]},
    {"messages": turns("What is this?<image>", "Rain.", "And these two: <image> and <image>?", "A dog, then a cat."),
     "images": ["portrait.png", "panorama.png", "square.png"]},
    {"messages": turns("No picture here.", "None at all, none."), "images": []},
    {"messages": turns("<image>\n<image>\nWhich is larger?", "The first one is."), "images": ["square.png", "landscape.png"]},
    {"messages": turns("Say more.", "<image> is what I see.", "And now?", "The dog went home."), "images": ["panorama.png"]},
]
PAIRS = [
    {"messages": turns("<image>Who is on the mat?"), "chosen": turns("", "The cat.")[1], "rejected": turns("", "Nobody at all.")[1], "images": ["landscape.png"]},
    {"messages": turns("What is <image>?", "Rain.", "And <image>?"), "chosen": turns("", "Dogs and cats.")[1], "rejected": turns("", "Rain again")[1],
     "images": ["portrait.png", "panorama.png"]},
    {"messages": turns("No picture."), "chosen": turns("", "None.")[1], "rejected": turns("", "One, I think.")[1], "images": []},
]
TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
INFO = {"rows": {"file_name": "rows.json", "formatting": "sharegpt", "columns": {"messages": "messages", "images": "images"}, "tags": TAGS},
        "pairs": {"file_name": "pairs.json", "formatting": "sharegpt", "ranking": True,
                  "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected", "images": "images"}, "tags": TAGS}}


def write_data():
    data = OUT / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name, value in {"dataset_info": INFO, "rows": ROWS, "pairs": PAIRS}.items():
        (data / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


def model_directory(case: dict, directory: pathlib.Path):
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(case["config"]))
    (directory / "preprocessor_config.json").write_text(json.dumps(case["preprocessor"]))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(make_vision.OUT / name, directory)
    weights = load_file(make_vision.OUT / f"{case['weights']}.safetensors")  # bf16, in which frozen parts would be computed
    save_file({key: value.float() for key, value in weights.items()}, directory / "model.safetensors", metadata={"format": "pt"})


def make_start(name: str, directory: pathlib.Path, targets: list[str]) -> pathlib.Path:
    """An adapter whose B is not zero, on the language model's linear maps or on all that `targets` name."""
    model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32)
    ends = targets or ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    paths = [path for path, module in model.named_modules() if isinstance(module, torch.nn.Linear) and path.split(".")[-1] in ends and
             (targets or "language_model" in path) and "encoder.layers.2" not in path]
    torch.manual_seed(len(name))
    made = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=8, target_modules=paths, task_type="CAUSAL_LM"))
    with torch.no_grad():
        for key, value in made.named_parameters():
            if "lora_B" in key:
                value.copy_(0.1 * torch.randn(value.shape))
    start = OUT / f"{name}_start"
    shutil.rmtree(start, ignore_errors=True)
    made.save_pretrained(start)
    (start / "README.md").unlink(missing_ok=True)
    config = json.loads((start / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = ""
    config["target_modules"] = sorted(config["target_modules"])
    (start / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return start


class Log(transformers.TrainerCallback):
    def __init__(self, metrics: list[str]):
        self.metrics, self.steps, self.examples = metrics, [], []

    def on_train_begin(self, args, state, control, train_dataloader=None, **kwargs):
        for row in train_dataloader.dataset:
            parts = ["chosen_", "rejected_"] if "chosen_input_ids" in row else [""]
            self.examples.append({key: [token for part in parts for token in row[part + key]] for key in ("input_ids", "labels")})

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.steps.append([float(f"{logs[name]:.9g}") for name in self.metrics])


def train(name: str, cases: dict):
    model, template, targets, changed = CASES[name]
    _, processor_of_images, kind, _ = make_vision.CASES[model]
    metrics = ["loss", "grad_norm", "learning_rate"] + (PAIRED if changed.get("stage") == "dpo" else [])
    settings = SETTINGS | {"template": template} | changed
    with tempfile.TemporaryDirectory() as temporary:
        directory, data, start = pathlib.Path(temporary) / "model", pathlib.Path(temporary) / "data", None
        model_directory(cases[model], directory)
        shutil.copytree(OUT / "data", data)
        for picture, content in PICTURES.items():
            (data / f"{picture}.png").write_bytes(base64.b64decode(content))
        if targets is not None:
            start = make_start(name, directory, targets)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
        processor = make_vision.make_processor(cases[model]["config"], processor_of_images(), kind, tokenizer)
        loader.AutoProcessor.from_pretrained = lambda *args, **kwargs: processor
        log = Log(metrics)
        keys = settings | {"model_name_or_path": str(directory), "dataset_dir": str(data), "output_dir": f"{temporary}/out", "report_to": "none", "use_cpu": True,
                           "overwrite_output_dir": True, "optim": "adamw_torch", "seed": 1, "bf16": False, "dataloader_pin_memory": False}
        keys |= {"adapter_name_or_path": str(start)} if start else {}
        run_exp(keys, callbacks=[log])
    assert len(log.steps) == STEPS, len(log.steps)
    run = {"model": model, "start": start.name if start else None, "settings": settings, "metrics": metrics}
    examples, steps = (",\n".join(json.dumps(row) for row in rows) for rows in (log.examples, log.steps))
    (OUT / f"{name}.json").write_text(json.dumps(run)[:-1] + f',\n"examples": [\n{examples}\n],\n"steps": [\n{steps}\n]}}\n')
    print(f"{name}: loss {log.steps[0][0]:.4f} to {log.steps[-1][0]:.4f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_data()
    golden = json.loads((make_vision.OUT / "cases.json").read_text())
    PICTURES = golden["pictures"]
    for chosen in sys.argv[1:] or CASES:
        train(chosen, {case["name"]: case for case in golden["cases"]})
