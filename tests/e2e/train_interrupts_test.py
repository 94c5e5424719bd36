"""A run of hearth train that is killed or stopped, then started again by the same command, ends with the bytes of one that never was."""

import json
import os
import random
import re
import signal
import sys
import time

from training_job import Job, conclude, files, lines, unfinished

# A checkpoint at every step: most moments are in the middle of writing one.
KEYS = {"max_steps": 30, "save_steps": 1, "save_total_limit": 3, "lora_dropout": 0.1, "val_size": 4, "eval_strategy": "steps", "eval_steps": 10, "plot_loss": "true"}
TIMES = {"elapsed_time", "remaining_time", "train_runtime", "train_samples_per_second", "train_steps_per_second", "eval_runtime", "eval_samples_per_second",
         "eval_steps_per_second"}


def without_times(values):
    return {key: value for key, value in values.items() if key not in TIMES}


def history(out):
    return [without_times(record) for record in json.loads((out / "trainer_state.json").read_text())["log_history"]]


def log(out):
    return [without_times(line) for line in lines(out / "trainer_log.jsonl")]


def killed_when(job, out, moment, **keys):
    """Starts the job and kills it as soon as moment(seconds) says so; whether it was still running."""
    process = job.start(out, **keys)
    started = time.monotonic()
    while process.poll() is None and not moment(time.monotonic() - started):
        time.sleep(0)
    alive = process.poll() is None
    process.kill()
    process.communicate()
    return alive


def names(directory):
    """Of the entries, also of a directory that changes meanwhile."""
    return os.listdir(directory) if directory.is_dir() else []


def equal_runs(job, one, other):
    """What differs between two finished runs besides times and paths."""
    first, second = job.out(one), job.out(other)
    here, there = files(first), files(second)
    told = [name for name in sorted(here.keys() ^ there.keys())]
    told += [name for name in here if name.endswith(".safetensors") and here[name] != there.get(name)]
    told += ["history"] * (history(first) != history(second)) + ["log"] * (log(first) != log(second))
    return told + unfinished(second)


def killed_runs_go_on(results, job, dice):
    started = time.monotonic()
    job.run("whole", **KEYS)
    duration = time.monotonic() - started
    out = job.out("killed")
    kills = {
        "at any moment": lambda at: (lambda seconds: seconds > at),
        "while a checkpoint is written": lambda _: (lambda _: any(re.fullmatch(r"checkpoint-\d+\.unfinished", name) for name in names(out))),
        "while the adapter is written": lambda _: (lambda _: any(name.startswith("adapter_") for name in names(out))),
        "while results are written": lambda _: (lambda _: "trainer_state.json" in names(out)),
    }
    for name, moment in kills.items():
        hit = 0
        for _ in range(4):
            if (out / "train_results.json").exists():
                job.remove("killed")
            hit += killed_when(job, "killed", moment(dice.uniform(0, duration / 2)), **KEYS)
        if (out / "train_results.json").exists():
            job.remove("killed")
        end = job.run("killed", **KEYS)
        differences = equal_runs(job, "whole", "killed") if end.returncode == 0 else [str(end)]
        results[f"killed {name}, a run ends as if it had not been"] = hit > 0 and differences == []
        if hit == 0 or differences:
            print(name, hit, differences, file=sys.stderr)
        job.remove("killed")


def overwritten_too(results, job):
    """With overwrite_output_dir a killed run goes on all the same, and its log is kept."""
    keys = {**KEYS, "overwrite_output_dir": "true"}
    killed_when(job, "overwritten", lambda _: "checkpoint-15" in names(job.out("overwritten")), **keys)
    end = job.run("overwritten", **keys)
    differences = equal_runs(job, "whole", "overwritten")
    results["overwrite_output_dir goes on too"] = end.returncode == 0 and "going on from" in end.stdout and differences == []
    if differences:
        print(differences, end, file=sys.stderr)


LONG = {"max_steps": 500, "save_steps": 10000, "logging_steps": 10}


def after_first_line(job, out):
    process = job.start(out, **LONG)
    while not process.stdout.readline().startswith("loss "):
        pass
    return process


def signals_save_first(results, job):
    job.run("long", **LONG)
    for name in ("SIGINT", "SIGTERM"):
        process = after_first_line(job, name)
        process.send_signal(getattr(signal, name))
        _, stderr = process.communicate()
        checkpoints = [entry for entry in names(job.out(name)) if entry.startswith("checkpoint-")]
        good = process.returncode == 130 and stderr.count("\n") == 1 and "the same command goes on from it" in stderr and len(checkpoints) == 1
        results[f"{name}: a checkpoint, a line, 130"] = good and unfinished(job.out(name)) == [] and not (job.out(name) / "train_results.json").exists()
        again = job.run(name, **LONG)
        results[f"{name}: the same command goes on"] = again.returncode == 0 and f"going on from {job.out(name)}/{checkpoints[0]}" in again.stdout and job.adapter(
            name) == job.adapter("long")
    process = after_first_line(job, "twice")
    process.send_signal(signal.SIGSTOP)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        process.send_signal(number)
    process.communicate()
    results["a second signal ends at once"] = process.returncode in (-signal.SIGTERM, -signal.SIGINT) and not any(
        name.startswith("checkpoint-") for name in names(job.out("twice")))


def one_at_a_time(results, job):
    """A run into a directory that another one writes is refused, and the other goes on."""
    process = after_first_line(job, "shared")
    second = job.run("shared", **LONG)
    process.communicate()
    results["two runs into one output_dir: the second is refused"] = second.returncode == 1 and "another process is training into" in second.stderr and process.returncode == 0


def stopped_without_optimizers(results, job):
    """save_only_model keeps the optimizer out of checkpoints, but not out of the one that a stopped run goes on from."""
    keys = {**LONG, "save_only_model": "true"}
    process = job.start("light", **keys)
    while not process.stdout.readline().startswith("loss "):
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate()
    again = job.run("light", **keys)
    results["save_only_model: a stopped run goes on"] = process.returncode == 130 and "going on from" in again.stdout and job.adapter("light") == job.adapter("long")


def resumed_as_told(results, job):
    keys = {"max_steps": 12, "save_steps": 4}
    job.run("told", **keys)
    whole = job.adapter("told")
    refused = job.run("told", **keys)
    results["a finished run is not overwritten"] = refused.returncode == 1 and "overwrite_output_dir" in refused.stderr and job.adapter("told") == whole
    again = job.run("told", **keys, resume_from_checkpoint=job.out("told") / "checkpoint-4")
    results["resume_from_checkpoint: a path"] = again.returncode == 0 and "4 of 12 steps are done" in again.stdout and job.adapter("told") == whole
    again = job.run("told", **keys, resume_from_checkpoint="true")
    results["resume_from_checkpoint: true"] = again.returncode == 0 and "12 of 12 steps are done" in again.stdout and job.adapter("told") == whole
    results["the log has each step once"] = [line["current_steps"] for line in log(job.out("told")) if "loss" in line] == [2, 4, 6, 8, 10, 12]
    other = job.run("told", **keys, resume_from_checkpoint="true", learning_rate=1e-4)
    results["of another job: refused with the key"] = other.returncode == 1 and "learning_rate" in other.stderr and job.adapter("told") == whole
    anew = job.run("told", **keys, overwrite_output_dir="true", seed=7)
    results["overwrite_output_dir: another job replaces a finished one"] = anew.returncode == 0 and "\n12 steps\n" in anew.stdout and job.adapter("told") != whole
    (job.out("told") / "train_results.json").unlink()
    anew = job.run("told", **keys, overwrite_output_dir="true", resume_from_checkpoint="false")
    results["resume_from_checkpoint: false starts anew"] = anew.returncode == 0 and "\n12 steps\n" in anew.stdout and job.adapter("told") == whole
    none = job.run("none", **keys, resume_from_checkpoint="true")
    results["no checkpoint to go on from"] = none.returncode == 1 and "has no checkpoint" in none.stderr


def main():
    results = {}
    seed = random.SystemRandom().randrange(1 << 32) if os.environ.get("HEARTH_RANDOM") else 5
    with Job() as job:
        killed_runs_go_on(results, job, random.Random(seed))
        overwritten_too(results, job)
        signals_save_first(results, job)
        one_at_a_time(results, job)
        stopped_without_optimizers(results, job)
        resumed_as_told(results, job)
    conclude(results)


main()
