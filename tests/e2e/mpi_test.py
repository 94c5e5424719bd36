"""Two processes under mpirun train what one does with twice the accumulation: the same losses, gradients and adapter; one of them writes, and prints."""

import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

BINARY = os.environ["HEARTH_BINARY"]
TINY = pathlib.Path("tests/golden/tiny_models")
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"]
NEAR = 1e-5


def make_model(folder):
    case = next(case for case in json.loads((TINY / "cases.json").read_text())["cases"] if case["name"] == "none")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(case["config"]))
    (folder / "model.safetensors").write_bytes((TINY / f"{case['weights']}.safetensors").read_bytes())
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]:
        (folder / name).write_bytes((TINY / name).read_bytes())


def make_data(folder):
    rows = [{"instruction": f"Say number {i}", "input": "", "output": "It is " + " ".join(str(i * k) for k in range(1 + i % 5))} for i in range(22)]
    folder.mkdir()
    (folder / "numbers.json").write_text(json.dumps(rows))
    pairs = [{"prompt": row["instruction"], "chosen": row["output"], "rejected": f"Never {i}."} for i, row in enumerate(rows)]
    (folder / "pairs.json").write_text(json.dumps(pairs))
    told = [{"prompt": row["instruction"], "completion": row["output"] if i % 3 else f"Never {i}.", "label": i % 3 > 0} for i, row in enumerate(rows)]
    (folder / "told.json").write_text(json.dumps(told))
    (folder / "dataset_info.json").write_text(json.dumps({"numbers": {"file_name": "numbers.json"}} | {
        name: {"file_name": f"{name}.json", "formatting": "trl"} for name in ("pairs", "told")}))


def train(folder, out, accumulation, *launcher, **keys):
    job = {"model_name_or_path": str(folder / "model"), "stage": "sft", "do_train": True, "finetuning_type": "lora", "lora_rank": 4, "lora_dropout": 0.1,
           "dataset": "numbers", "dataset_dir": str(folder / "data"), "per_device_train_batch_size": 2, "gradient_accumulation_steps": accumulation,
           "learning_rate": 1e-3, "num_train_epochs": 3, "logging_steps": 1, "val_size": 0.2, "eval_strategy": "steps", "eval_steps": 2, "save_steps": 3,
           "output_dir": str(folder / out)} | keys
    (folder / f"{out}.yaml").write_text(json.dumps(job))
    return subprocess.run([*launcher, BINARY, "train", str(folder / f"{out}.yaml")], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, XDG_CACHE_HOME=str(folder / "cache")))


def history(folder, out):
    return json.loads((folder / out / "trainer_state.json").read_text())["log_history"]


def adapter(folder, out):
    raw = (folder / out / "adapter_model.safetensors").read_bytes()
    header = struct.unpack("<Q", raw[:8])[0]
    return struct.unpack(f"<{(len(raw) - 8 - header) // 4}f", raw[8 + header:])


def near(a, b):
    return abs(a - b) <= NEAR * max(abs(a), abs(b))


def preferences(results, folder):
    """Every metric of pairs and of single answers, of training and of evaluation, whichever process computed it."""
    for stage, dataset in (("dpo", "pairs"), ("kto", "told"), ("rm", "pairs")):
        keys = {"stage": stage, "dataset": dataset, "num_train_epochs": 2}
        one, two = train(folder, f"{stage}_one", 2, **keys), train(folder, f"{stage}_two", 1, *MPIRUN, **keys)
        results[f"{stage}: both end well"] = one.returncode == two.returncode == 0
        if not results[f"{stage}: both end well"]:
            print(one, two, sep="\n", file=sys.stderr)
            continue
        measured = [(key, a[key], b.get(key, math.inf)) for a, b in zip(history(folder, f"{stage}_one"), history(folder, f"{stage}_two")) for key in a
                    if "runtime" not in key and "per_second" not in key]
        differing = sorted({key for key, a, b in measured if not near(a, b)})
        print(stage, "differ:", *differing)
        results[f"{stage}: {len({key for key, _, _ in measured})} metrics are equal"] = len(measured) > 50 and not differing
    refused = train(folder, "bco", 1, *MPIRUN, stage="dpo", dataset="pairs", pref_bco_weight=0.5)
    results["a baseline that goes from batch to batch is refused"] = refused.returncode == 1 and "pref_bco_weight" in refused.stderr


def main():
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_model(folder / "model")
        make_data(folder / "data")
        one, two = train(folder, "one", 2), train(folder, "two", 1, *MPIRUN)
        results["both end well"] = one.returncode == two.returncode == 0
        if not results["both end well"]:
            print(one, two, sep="\n", file=sys.stderr)
            return 1
        pairs = list(zip(history(folder, "one"), history(folder, "two")))
        results["as many records"] = len(history(folder, "one")) == len(history(folder, "two"))
        for key in ["loss", "grad_norm", "learning_rate", "eval_loss"]:
            results[f"{key} is equal"] = all(near(a[key], b[key]) for a, b in pairs if key in a)
        a, b = adapter(folder, "one"), adapter(folder, "two")
        results["the adapter is equal"] = max(abs(x - y) for x, y in zip(a, b)) <= NEAR * max(map(abs, a))
        results["one process prints"] = two.stdout.count("LoRA, rank 4") == 1 and two.stdout.count("the adapter is in") == 1
        results["nothing is left over"] = not list((folder / "two").glob("*.unfinished"))
        # One process goes on from what two began, with twice the accumulation: such a step is the same.
        began = train(folder, "begun", 1, *MPIRUN, max_steps=6)
        (folder / "begun" / "train_results.json").unlink()
        other = train(folder, "begun", 1, max_steps=6)
        results["another step is refused"] = began.returncode == 0 and other.returncode == 1 and "gradient_accumulation_steps" in other.stderr
        same = train(folder, "begun", 2, max_steps=6)
        results["one process goes on where two began"] = same.returncode == 0 and "going on from" in same.stdout
        preferences(results, folder)
        failed = train(folder, "failed", 1, *MPIRUN, output_dir=str(folder / "one.yaml" / "out"))
        results["where rank 0 cannot write, all end"] = failed.returncode == 1 and "one.yaml" in failed.stderr
    for what, good in results.items():
        print("ok  " if good else "FAIL", what)
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
