"""What hearth train, preprocess and data check refuse: exit code 1 or 2, one line that says what and where, and nothing written or changed."""

import json
import math
import resource
import shutil
import struct
import subprocess
import sys

from training_job import ROOT, Job, binary, conclude, files, told, unfinished

REFUSED = ROOT / "tests" / "golden" / "training" / "refused"
IDENTITY = ROOT / "examples" / "train_lora" / "smollm2_lora_identity.yaml"


def is_refused(job, run, code, *parts, out="refused"):
    """One line with all parts, and no files below the output directory."""
    lines = told(run)
    good = run.returncode == code and len(lines) == 1 and lines[0].startswith("hearth: ") and all(part in lines[0] for part in parts)
    good = good and (not job.out(out).is_dir() or files(job.out(out)) == {})
    if not good:
        print(parts, run, file=sys.stderr)
    return good


# What is wrong: exit code, parts of the line, and the keys that make it so.
MISTAKES = {
    "a mistyped key on the command line": (2, ["learning_rat", "did you mean 'learning_rate'?"], {"learning_rat": 1}),
    "no number": (2, ["learning_rate", "fast"], {"learning_rate": "fast"}),
    "a value that is none of the choices": (2, ["finetuning_type", "lara", "did you mean 'lora'?"], {"finetuning_type": "lara"}),
    "two keys that exclude each other": (2, ["val_size"], {"streaming": "true", "max_steps": 4, "val_size": 0.5}),
    "the best model without evaluations": (2, ["load_best_model_at_end"], {"load_best_model_at_end": "true"}),
    "an unknown dataset": (1, ["dataset_info.json", "fact", "did you mean 'facts'?"], {"dataset": "fact"}),
    "no dataset_info.json": (1, ["nowhere"], {"dataset_dir": "nowhere"}),
    "a data file that is not there": (1, ["missing.json"], {"dataset": "missing"}),
    "a data file that is cut": (1, ["broken.json"], {"dataset": "broken"}),
    "a row of another type": (1, ["bad.json, row 2, column 'input'"], {"dataset": "bad"}),
    "an unknown template": (2, ["template", "lama3", "did you mean 'llama3'?"], {"template": "lama3"}),
    "a model that is not there": (1, ["no such file or directory"], {"model_name_or_path": "./nothing"}),
    "an adapter that is not there": (1, ["nothing"], {"adapter_name_or_path": "./nothing"}),
    "an adapter of another size": (1, [str(REFUSED / "shapes")], {"adapter_name_or_path": REFUSED / "shapes"}),
    "an adapter of other names": (1, [str(REFUSED / "names")], {"adapter_name_or_path": REFUSED / "names"}),
    "a map that the model lacks": (1, ["q_pro", "did you mean 'q_proj'?"], {"lora_target": "q_pro"}),
    "a rank that a matrix lacks": (1, ["rank 65"], {"lora_rank": 65, "pissa_init": "true"}),
    "a stage that is to come": (2, ["stage"], {"stage": "ppo"}),
    "a tracker that is none": (2, ["report_to", "did you mean 'tensorboard'?"], {"report_to": "tensorbord"}),
    "a metric that is none": (1, ["metric_for_best_model", "eval_loss"],
                              {"val_size": 4, "eval_strategy": "steps", "eval_steps": 4, "load_best_model_at_end": "true", "metric_for_best_model": "bleu"}),
}


def mistakes_are_told(results, job):
    (job.folder / "mistyped.yaml").write_text((job.folder / "job.yaml").read_text() + "learning_rte: 1\n")
    (job.folder / "broken.yaml").write_text("stage: [sft\n")
    line = (job.folder / "mistyped.yaml").read_text().count("\n")
    results["refused: a mistyped key, with its line"] = is_refused(
        job, job.run("refused", yaml="mistyped.yaml"), 2, f"mistyped.yaml:{line}: unknown key 'learning_rte' (did you mean 'learning_rate'?)")
    results["refused: what is no YAML"] = is_refused(job, job.run("refused", yaml="broken.yaml"), 2, "broken.yaml")
    results["refused: a YAML that is not there"] = is_refused(job, job.run("refused", yaml="nothing.yaml"), 2, "nothing.yaml")
    for name, (code, parts, keys) in MISTAKES.items():
        results[f"refused: {name}"] = is_refused(job, job.run("refused", **keys), code, *parts)


def outputs_are_refused(results, job):
    (job.folder / "file").write_text("mine")
    results["refused: an output_dir that is a file"] = is_refused(job, job.run("file"), 1, "file") and (job.folder / "file").read_text() == "mine"
    results["refused: an output_dir below a file"] = is_refused(job, job.run("file/below"), 1, "file", out="file/below")
    nowhere = "/proc/nowhere"
    run = job.run("unused", output_dir=nowhere)
    results["refused: an output_dir that cannot be made"] = is_refused(job, run, 1, nowhere, out=nowhere)
    results["refused: the model's own directory"] = is_refused(job, job.run("model", finetuning_type="full", overwrite_output_dir="true"), 1, "model", out="refused")
    results["the model is as it was"] = sorted(files(job.model)) == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def write_spoilt_model(job):
    """The job's model with a weight that is no number."""
    spoilt = job.folder / "spoilt"
    shutil.copytree(job.model, spoilt)
    raw = bytearray((spoilt / "model.safetensors").read_bytes())
    (header,) = struct.unpack_from("<Q", raw)
    begin = json.loads(raw[8 : 8 + header])["model.norm.weight"]["data_offsets"][0]
    struct.pack_into("<f", raw, 8 + header + begin, math.nan)
    (spoilt / "model.safetensors").write_bytes(raw)
    return spoilt


def size_limit(size):
    """No file may grow beyond: what a full disk does, without one."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def what_is_there_stays(results, job):
    """A run that cannot write, or whose loss is none, leaves what was there."""
    job.run("kept", max_steps=4)
    before = files(job.out("kept"))
    # 7,424 parameters: the adapter has 30 kB, the optimizer's moments 60 kB.
    keys = {"max_steps": 8, "save_steps": 2}
    for name, size in (("the optimizer", 40_000), ("the adapter", 20_000), ("a small file", 300)):
        run = job.run("full", preexec_fn=size_limit(size), **keys)
        good = run.returncode == 1 and len(told(run)) == 1 and "File too large" in told(run)[0] and str(job.out("full")) in told(run)[0]
        good = good and not any(name.endswith(("results.json", ".safetensors", "training_args.yaml")) for name in files(job.out("full"))) and unfinished(job.out("full")) == []
        results[f"no room for {name}: one line, no halves"] = good
        if not good:
            print(name, run, list(files(job.out("full"))), file=sys.stderr)
    again = job.run("full", **keys)
    results["with room the same command ends well"] = again.returncode == 0
    run = job.run("kept", resume_from_checkpoint="true", max_steps=4, preexec_fn=size_limit(20_000))
    after = files(job.out("kept"))
    results["no room for the result: the old one stays"] = run.returncode == 1 and all(
        after.get(name) == content for name, content in before.items() if name != "trainer_log.jsonl")
    run = job.run("none", model_name_or_path=write_spoilt_model(job), max_steps=6, save_steps=1)
    told_of = told(run)
    results["a loss that is none: step and remedy"] = run.returncode == 1 and len(told_of) == 1 and "hearth: step " in told_of[0] and "lower learning_rate" in told_of[0]
    written = files(job.out("none"))
    results["a loss that is none: no results"] = not any(name in written for name in ("train_results.json", "adapter_model.safetensors"))
    if not (results["a loss that is none: step and remedy"] and results["no room for the result: the old one stays"]):
        print(run, file=sys.stderr)


def full_disk(results, job):
    """A small file system, where this user may mount one."""
    place = job.folder / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True).returncode == 0
    if not mounted:
        print("SKIPPED: a full disk (mount needs root); files that may not grow are tested")
        return
    try:
        run = job.run("disk/out", max_steps=40, save_steps=1)
        good = run.returncode == 1 and len(told(run)) == 1 and "No space left on device" in told(run)[0]
        results["a full disk: one line"] = good
        results["a full disk: whole checkpoints only"] = unfinished(place) == [] and all(
            len(list(path.iterdir())) == 6 for path in place.glob("out/checkpoint-*"))
        shutil.rmtree(place / "out" / "checkpoint-1")
        again = job.run("disk/out", max_steps=40, save_steps=1, save_total_limit=1)
        results["a full disk: with room it goes on"] = again.returncode == 0 and "going on from" in again.stdout
        if not (good and again.returncode == 0):
            print(run, again, file=sys.stderr)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def data_is_shown_first(results, job):
    def hearth(*arguments):
        return subprocess.run([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, cwd=ROOT)

    shown = hearth("preprocess", IDENTITY, "--rows", 2)
    results["preprocess shows what is learnt"] = shown.returncode == 0 and shown.stderr == "" and "example 2 of " in shown.stdout and "[[" in shown.stdout and "Ember" in shown.stdout
    shown = job.run("unused", command=("preprocess",))
    results["preprocess: of a tiny model"] = shown.returncode == 0 and "What is 0?" in shown.stdout and "[[It is 0 and 1.<|im_end|>" in shown.stdout
    shown = job.run("unused", command=("preprocess",), dataset="bad")
    results["preprocess: a bad row"] = is_refused(job, shown, 1, "bad.json, row 2, column 'input'")
    shown = job.run("unused", command=("preprocess",), dataset="untold")
    results["preprocess: a dropped row is named"] = shown.returncode == 0 and "dropped: " in shown.stdout and "untold.json" in shown.stdout

    checked = hearth("data", "check", IDENTITY)
    results["data check: good data"] = checked.returncode == 0 and checked.stdout.startswith("identity: 20 rows, 20 used, 0 dropped, 0 bad")
    checked = job.run("unused", command=("data", "check"), dataset="facts,bad,untold")
    results["data check: bad rows by file and number, all sets, 1"] = checked.returncode == 1 and checked.stderr == "" and all(part in checked.stdout for part in (
        "facts: 24 rows, 24 used", "bad.json, row 2", "bad.json, row 3", "2 bad", "untold: 2 rows, 1 used, 1 dropped"))
    checked = hearth("data", "check", "--dataset", "broken", "--dataset_dir", job.data)
    results["data check: a file that is cut"] = checked.returncode == 1 and "bad: broken.json, row 1: " in checked.stdout and checked.stderr == ""
    checked = hearth("data", "check", "--dataset", "fact", "--dataset_dir", job.data)
    results["data check: the nearest name"] = is_refused(job, checked, 1, "did you mean 'facts'?")
    results["data check: nothing named"] = is_refused(job, hearth("data", "check"), 2, "--dataset")


def main():
    results = {}
    with Job() as job:
        for part in (mistakes_are_told, outputs_are_refused, what_is_there_stays, full_disk, data_is_shown_first):
            part(results, job)
    conclude(results)


main()
