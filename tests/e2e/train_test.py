"""hearth train from the outside: what a run writes and prints, and that each kind of job ends with 0 and a loss that is a number."""

import json
import math
import struct
import sys

from training_job import Job, conclude, files, lines, losses, unfinished

# LLaMA-Factory's LogCallback, fields that are none left out.
LOG_FIELDS = ["current_steps", "total_steps", "loss", "eval_loss", "lr", "epoch", "percentage", "elapsed_time", "remaining_time"]
RESULT_FILES = {"adapter_config.json", "adapter_model.safetensors", "all_results.json", "eval_results.json", "train_results.json", "trainer_log.jsonl",
                "trainer_state.json", "training_args.yaml", "training_loss.png", "training_eval_loss.png"}
CHECKPOINT_FILES = {"adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors", "run_totals.json", "trainer_state.json", "training_args.yaml"}
EVALUATED = {"val_size": 4, "per_device_eval_batch_size": 2, "eval_strategy": "steps", "eval_steps": 4}


def tensorboard_records(content):
    """The records of an events file by their lengths: 8 bytes length, 4 checksum, data, 4 checksum."""
    records = []
    while content:
        (length,) = struct.unpack_from("<Q", content)
        records.append(content[12 : 12 + length])
        content = content[16 + length :]
    return records


def a_whole_run(results, job):
    run = job.run("whole", **EVALUATED, plot_loss="true", report_to="tensorboard", save_steps=5, include_num_input_tokens_seen="false")
    out = job.out("whole")
    results["a run ends with 0 and says nothing on stderr"] = run.returncode == 0 and run.stderr == ""
    if run.returncode != 0:
        print(run, file=sys.stderr)
        return
    written = files(out)
    events = [name for name in written if name.startswith("runs/")]
    here = {name for name in written if "/" not in name}
    results["the files of a run"] = here == RESULT_FILES
    results["checkpoints every 5 steps and at the end"] = {name.split("/")[0] for name in written if name.startswith("checkpoint-")} == {
        f"checkpoint-{n}" for n in (5, 10, 15, 20)}
    results["the files of a checkpoint"] = {name.split("/")[1] for name in written if name.startswith("checkpoint-10/")} == CHECKPOINT_FILES
    results["nothing unfinished"] = unfinished(out) == []
    results["plots are PNG"] = all(written[name].startswith(b"\x89PNG") for name in here if name.endswith(".png"))
    records = tensorboard_records(written[events[0]]) if len(events) == 1 else []
    results["TensorBoard has loss, eval loss and the end"] = all(
        sum(tag in record for record in records) == count for tag, count in ((b"train/loss", 10), (b"eval/loss", 5), (b"train/train_loss", 1)))

    log = lines(out / "trainer_log.jsonl")
    results["trainer_log.jsonl: fields in LLaMA-Factory's order"] = all(list(line) == [name for name in LOG_FIELDS if name in line] for line in log)
    kinds = [("loss" in line and "lr" in line, "eval_loss" in line, line["current_steps"], line["percentage"]) for line in log]
    results["trainer_log.jsonl: every 2nd step, every 4th evaluated, the end"] = sorted(kinds) == sorted(
        [(True, False, n, 5.0 * n) for n in range(2, 21, 2)] + [(False, True, n, 5.0 * n) for n in range(4, 21, 4)] + [(False, False, 20, 100.0)])

    state = json.loads(written["trainer_state.json"])
    results["trainer_state.json"] = state["global_step"] == state["max_steps"] == 20 and state["epoch"] == 2.0 and [
        record["loss"] for record in state["log_history"] if "loss" in record] == [line["loss"] for line in log if "loss" in line]
    train, evaluated, everything = (json.loads(written[f"{name}_results.json"]) for name in ("train", "eval", "all"))
    results["train_results.json"] = set(train) == {"epoch", "total_flos", "train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
    results["eval_results.json"] = set(evaluated) == {"epoch", "eval_loss", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}
    results["all_results.json is their union"] = everything == train | evaluated
    logged = [line["eval_loss"] for line in log if "eval_loss" in line]
    results["the loss falls, on held out examples too"] = logged[-1] < logged[0] and losses(out)[-1] < losses(out)[0] and evaluated["eval_loss"] == logged[-1]

    said = run.stdout.splitlines()
    results["it says what it trains on and how"] = all(any(part in line for line in said) for part in (
        "train: 20 examples", "validation: 4 examples", "[[It is ", "LoRA, rank 4", "peak memory about", "20 steps", f"saved {out}/checkpoint-20", "train_loss "))
    results["it says how to chat with the result"] = said[-1].endswith(f"hearth chat --model {job.model} --adapter {out}")
    config = json.loads(written["adapter_config.json"])
    results["the adapter names its base and rank"] = config["base_model_name_or_path"] == str(job.model) and config["r"] == 4 and config["peft_type"] == "LORA"


# Each: what is peculiar to it. All of them end with 0, with a training loss that is a number and does not rise.
SWEEP = {
    "pretraining": {"stage": "pt", "dataset": "texts", "cutoff_len": 16},
    "packing": {"packing": "true", "cutoff_len": 100},
    "neat packing": {"neat_packing": "true", "cutoff_len": 100},
    "full": {"finetuning_type": "full"},
    "freeze": {"finetuning_type": "freeze", "freeze_trainable_layers": 1, "freeze_extra_modules": "embed_tokens,norm"},
    "DoRA": {"use_dora": "true"},
    "rsLoRA with dropout": {"use_rslora": "true", "lora_dropout": 0.1},
    "PiSSA": {"pissa_init": "true", "pissa_iter": 4, "pissa_convert": "true"},
    "LoRA+": {"loraplus_lr_ratio": 8},
    "two maps and the embedding": {"lora_target": "q_proj,v_proj", "additional_target": "embed_tokens"},
    "bf16": {"bf16": "true"},
    "noise, label smoothing, groups by length": {"neftune_noise_alpha": 5, "label_smoothing_factor": 0.1, "group_by_length": "true"},
    "streaming": {"streaming": "true", "max_steps": 12, "buffer_size": 8},
    "max_steps before num_train_epochs": {"max_steps": 5, "save_steps": 100},
    "accumulated, no shuffling": {"gradient_accumulation_steps": 4, "disable_shuffling": "true", "logging_steps": 1},
    "everything learnt": {"train_on_prompt": "true"},
    "a named template": {"template": "chatml"},
    "two datasets, the first rows": {"dataset": "facts,untold", "max_samples": 6, "logging_steps": 1},
    "accuracy": {**EVALUATED, "compute_accuracy": "true"},
    "evaluated by the epoch": {**EVALUATED, "eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": "true"},
    "nothing saved on the way": {"save_strategy": "no"},
    "no optimizer in checkpoints": {"save_only_model": "true"},
}


def every_kind(results, job):
    for name, keys in SWEEP.items():
        run = job.run(name.replace(" ", "-"), **keys)
        good = run.returncode == 0
        if good:
            loss = losses(job.out(name.replace(" ", "-")))
            good = len(loss) > 0 and all(math.isfinite(value) for value in loss) and loss[-1] < loss[0] + 0.2
            good = good and unfinished(job.out(name.replace(" ", "-"))) == []
            if not good:
                print(name, loss, file=sys.stderr)
        else:
            print(name, run, file=sys.stderr)
        results[f"trains: {name}"] = good


def eval_loss(job, out):
    return json.loads((job.out(out) / "eval_results.json").read_text())["eval_loss"]


def results_are_models(results, job):
    """What was saved, loaded by another run, is what the trained model was."""
    for name, keys in (("full", SWEEP["full"]), ("freeze", SWEEP["freeze"]), ("PiSSA", SWEEP["PiSSA"]), ("DoRA", SWEEP["DoRA"])):
        trained = job.run(f"{name}-1", **keys, val_size=4)
        saved = job.out(f"{name}-1")
        for what, place in (("", saved), (", converted", saved / "pissa_converted")):
            if not place.is_dir():
                continue
            key = "model_name_or_path" if name in ("full", "freeze") else "adapter_name_or_path"
            loaded = job.run(f"{name}-2", val_size=4, do_train="false", do_eval="true", **{key: place})
            good = trained.returncode == loaded.returncode == 0 and abs(eval_loss(job, f"{name}-1") - eval_loss(job, f"{name}-2")) < 1e-4
            results[f"loaded again it is what was trained: {name}{what}"] = good
            if not good:
                print(name, trained, loaded, file=sys.stderr)


def adapters_go_on(results, job):
    plain = job.run("first", max_steps=6, save_steps=100, logging_steps=1)
    end = losses(job.out("first"))[-1]
    more = {"max_steps": 1, "logging_steps": 1, "disable_shuffling": "true", "per_device_train_batch_size": 24}
    on_base, on_adapter = job.run("base", **more), job.run("on", **more, adapter_name_or_path=job.out("first"))
    fresh = job.run("fresh", **more, adapter_name_or_path=job.out("first"), create_new_adapter="true", lora_rank=2)
    results["adapters: all runs end well"] = all(run.returncode == 0 for run in (plain, on_base, on_adapter, fresh))
    if not results["adapters: all runs end well"]:
        print(plain, on_base, on_adapter, fresh, file=sys.stderr)
        return
    first = {name: losses(job.out(name))[0] for name in ("base", "on", "fresh")}
    results["an adapter goes on from what it learnt"] = math.isfinite(end) and first["on"] < first["base"] - 0.05
    results["a new adapter stands on the old one merged"] = abs(first["fresh"] - first["on"]) < 1e-3
    results["the old adapter is kept"] = json.loads((job.out("fresh") / "adapter_config.json").read_text())["r"] == 2 and len(job.adapter("first")) > 0


def seeds_decide(results, job):
    for name, seed in (("seed-1", 1), ("seed-1-again", 1), ("seed-2", 2)):
        job.run(name, seed=seed, lora_dropout=0.1)
    results["one seed, the same bytes"] = job.adapter("seed-1") == job.adapter("seed-1-again")
    results["another seed, others"] = job.adapter("seed-1") != job.adapter("seed-2")


def tokenised_data_is_kept(results, job):
    store = job.out("tokenised")
    first = job.run("kept-1", tokenized_path=store, **EVALUATED)
    again = job.run("kept-2", tokenized_path=store, **EVALUATED, dataset_dir=job.out("nowhere"))
    results["tokenised data is written and read again"] = first.returncode == again.returncode == 0 and job.adapter("kept-1") == job.adapter("kept-2")
    other = job.run("kept-3", tokenized_path=store, **EVALUATED, cutoff_len=20)
    results["of another job it is refused"] = other.returncode == 1 and "cutoff_len" in other.stderr and not job.out("kept-3").exists()


def evaluations_decide(results, job):
    keys = {**EVALUATED, "eval_steps": 1, "save_steps": 1, "load_best_model_at_end": "true", "num_train_epochs": 4, "per_device_eval_batch_size": 4}
    # At this rate the loss soon rises again.
    run = job.run("early", **keys, learning_rate=0.3, early_stopping_steps=3, save_total_limit=2)
    out = job.out("early")
    if run.returncode != 0:
        print(run, file=sys.stderr)
    state = json.loads((out / "trainer_state.json").read_text())
    history = {record["step"]: record["eval_loss"] for record in state["log_history"] if "eval_loss" in record}
    best = min(history, key=history.get)
    results["a run stops early, 3 evaluations after the best"] = state["global_step"] == best + 3 < 40
    results["the best is loaded in the end"] = state["best_global_step"] == best and json.loads((out / "eval_results.json").read_text())["eval_loss"] == history[best]
    kept = sorted(path.name for path in out.glob("checkpoint-*"))
    results["the newest checkpoint and the best are kept"] = kept == sorted([f"checkpoint-{best}", f"checkpoint-{best + 3}"])
    # As if it had been killed before its results were written.
    bytes_of_it = job.adapter("early")
    (out / "train_results.json").unlink()
    again = job.run("early", **keys, learning_rate=0.3, early_stopping_steps=3, save_total_limit=2)
    results["a run that stopped early does not go on"] = again.returncode == 0 and job.adapter("early") == bytes_of_it and json.loads(
        (out / "trainer_state.json").read_text())["global_step"] == best + 3


def evaluation_alone(results, job):
    run = job.run("evaluated", do_train="false", do_eval="true", val_size=4)
    results["evaluation alone writes its results only"] = run.returncode == 0 and set(files(job.out("evaluated"))) == {"eval_results.json", "all_results.json"}


def main():
    results = {}
    with Job() as job:
        for part in (a_whole_run, every_kind, results_are_models, adapters_go_on, seeds_decide, tokenised_data_is_kept, evaluations_decide, evaluation_alone):
            part(results, job)
    conclude(results)


main()
