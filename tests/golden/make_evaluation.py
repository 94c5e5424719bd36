"""What LLaMA-Factory's do_eval says of tiny models, in f32 on a CPU: eval_loss, and eval_accuracy of stage sft, eval_perplexity of stage pt.

    pip install --no-deps llamafactory==0.9.5; make_evaluation.py          (the rest: requirements.txt)

Writes evaluation/NAME.json for each of CASES: {"model" (a case of tiny_models), "settings" (keys of the YAML), "results": of its eval_results.json}. The rows
are those of make_predictions.py, every second one with what the model itself answers (predictions/chatml.jsonl), so that some of it is right. Last batches are
not full, and lengths differ: the mean over a batch's targets, then over the batches, which transformers' Trainer weighs by their examples (stage pt) and its
Seq2SeqTrainer alike (stage sft); the accuracy is a mean over examples.
"""

import json
import pathlib
import shutil
import tempfile

import make_predictions as predictions  # makes LLaMA-Factory importable
from check_adapter import tiny_model
from llamafactory.train.tuner import run_exp

OUT = pathlib.Path(__file__).parent / "evaluation"
COMMON = {"do_eval": True, "finetuning_type": "lora"}
SFT = COMMON | {"stage": "sft", "template": "chatml", "cutoff_len": 48, "compute_accuracy": True, "eval_dataset": "rows"}
ADAPTER = {"adapter_name_or_path": "tests/golden/training/llama/final"}
PT = COMMON | {"stage": "pt", "template": "chatml", "cutoff_len": 16, "eval_dataset": "rows"}
# name: (case of tiny_models, settings)
CASES = {
    "sft": ("none", SFT | {"per_device_eval_batch_size": 4}),
    "sft_adapter": ("none", SFT | ADAPTER | {"per_device_eval_batch_size": 4}),
    "sft_qwen2": ("qwen2", SFT | {"per_device_eval_batch_size": 3}),
    "sft_train_on_prompt": ("none", SFT | {"per_device_eval_batch_size": 8, "train_on_prompt": True}),
    "sft_each": ("none", SFT | {"per_device_eval_batch_size": 4, "eval_dataset": "rows,few", "eval_on_each_dataset": True}),
    "pt": ("none", PT | ADAPTER | {"per_device_eval_batch_size": 4}),
    "pt_last_of_one": ("none", PT | {"per_device_eval_batch_size": 3}),
    "pt_each": ("none", PT | {"per_device_eval_batch_size": 2, "eval_dataset": "rows,few", "eval_on_each_dataset": True}),
}
MEASURES = ("loss", "accuracy", "perplexity")


def run(name: str) -> dict:
    model, settings = CASES[name]
    with tempfile.TemporaryDirectory() as directory:
        base, out = pathlib.Path(directory) / "model", pathlib.Path(directory) / "out"
        base.mkdir()
        tiny_model(model, base)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(predictions.TINY / file, base)
        run_exp(settings | {"model_name_or_path": str(base), "dataset_dir": str(OUT), "output_dir": str(out), "use_cpu": True, "overwrite_cache": True,
                            "report_to": "none"})
        results = json.loads((out / "eval_results.json").read_text())
    return {key: value for key, value in results.items() if key.endswith(MEASURES)}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    info = predictions.INFO["rows"]
    answers = [json.loads(line)["predict"] for line in (predictions.OUT / "chatml.jsonl").read_text("utf-8").splitlines()]
    rows = [row | ({"output": answer} if i % 2 == 0 else {}) for i, (row, answer) in enumerate(zip(predictions.ROWS, answers, strict=True))]
    for name, rows in {"rows": rows, "few": rows[:4]}.items():
        (OUT / f"{name}.json").write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n", "utf-8")
    (OUT / "dataset_info.json").write_text(json.dumps({name: info | {"file_name": f"{name}.json"} for name in ("rows", "few")}) + "\n")
    for name, (model, settings) in CASES.items():
        (OUT / f"{name}.json").write_text(json.dumps({"model": model, "settings": settings, "results": run(name)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
