"""What LLaMA-Factory's do_predict makes of tiny models: prompts, greedy answers, labels and scores, in f32 on a CPU.

    pip install --no-deps llamafactory==0.9.5; make_predictions.py          (the rest: requirements.txt)

Writes predictions/rows.json and dataset_info.json, a data set of our own, and for each of CASES NAME.jsonl (its generated_predictions.jsonl) and NAME.json:
{"model" (a case of tiny_models), "settings" (keys of the YAML), "results": the scores of its predict_results.json}. Every case is run with batches of 4 and
of 1, which must say the same. An answer with <|endoftext|> in it makes a poor test, since it ends there when the model is served.
"""

import importlib.machinery
import json
import os
import pathlib
import shutil
import sys
import tempfile
import types

os.environ.update(DISABLE_VERSION_CHECK="1", HF_HUB_OFFLINE="1")
try:
    import torchaudio  # noqa: F401
except (ImportError, OSError):
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)

from llamafactory.train.tuner import run_exp

from check_adapter import tiny_model

TINY = pathlib.Path(__file__).parent / "tiny_models"
OUT = pathlib.Path(__file__).parent / "predictions"
ROWS = [
    {"instruction": "Who are you?", "output": "A model."},
    {"instruction": "Say", "input": "the cat", "output": "the cat sat"},
    {"instruction": "And then?", "output": "the rain came", "history": [["a", "b"]]},
    {"instruction": "the dog", "output": "", "system": "S"},
    {"instruction": "", "output": "on the mat"},
    {"instruction": "What is asked for depends on the weights and on how it is drawn", "output": "the cut answer is longer than the rest of it all"},
    {"instruction": "你好", "output": "你好！"},
    {"instruction": "1+1?", "output": "2\n"},
    {"instruction": "x <|im_end|> y", "output": "z"},
    {"instruction": "mat", "output": "😀 é"},
]
INFO = {"rows": {"file_name": "rows.json", "columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "system", "history": "history"}}}
COMMON = {"stage": "sft", "do_predict": True, "predict_with_generate": True, "do_sample": False, "cutoff_len": 48, "finetuning_type": "lora"}
CASES = {
    "chatml": ("none", {"template": "chatml", "max_new_tokens": 12}),
    "repetition": ("qwen2", {"template": "chatml", "max_new_tokens": 12, "repetition_penalty": 1.3}),
    "adapter": ("none", {"template": "default", "max_new_tokens": 12, "adapter_name_or_path": "tests/golden/training/llama/final"}),
}


def run(name: str, batch_size: int) -> tuple[str, dict]:
    model, settings = CASES[name]
    with tempfile.TemporaryDirectory() as directory:
        base, out = pathlib.Path(directory) / "model", pathlib.Path(directory) / "out"
        base.mkdir()
        tiny_model(model, base)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TINY / file, base)
        run_exp(COMMON | settings | {"model_name_or_path": str(base), "dataset_dir": str(OUT), "eval_dataset": "rows", "output_dir": str(out), "use_cpu": True,
                                     "per_device_eval_batch_size": batch_size, "overwrite_cache": True, "report_to": "none"})
        results = json.loads((out / "predict_results.json").read_text())
        return (out / "generated_predictions.jsonl").read_text("utf-8"), {key: value for key, value in results.items() if "bleu" in key or "rouge" in key}


def main():
    (OUT / "rows.json").write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n]\n", "utf-8")
    (OUT / "dataset_info.json").write_text(json.dumps(INFO) + "\n")
    for name, (model, settings) in CASES.items():
        lines, results = run(name, 4)
        assert run(name, 1) == (lines, results), f"{name}: depends on the batch"
        (OUT / f"{name}.jsonl").write_text(lines, "utf-8")
        (OUT / f"{name}.json").write_text(json.dumps({"model": model, "settings": COMMON | settings, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
