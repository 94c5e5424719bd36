"""The jobs of examples/, as they stand, on the default model. Slow: minutes.

Who the model is after 20 examples, the loss on held out instructions against the base model's, and pairs of answers told apart. HEARTH_REFERENCE_PYTHON, a python that has torch and peft
(`./dev test --slow` sets it), also loads an adapter of hearth's.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from training_job import ROOT, Job, binary, conclude

EXAMPLES = ROOT / "examples" / "train_lora"
DATA = ROOT.parent / "shared" / "data"


def hearth(*arguments, text=""):
    return subprocess.run([binary(), *map(str, arguments)], input=text, capture_output=True, text=True, timeout=3000, cwd=ROOT)


def identity(results, folder):
    out = folder / "identity"
    run = hearth("train", EXAMPLES / "smollm2_lora_identity.yaml", f"output_dir={out}")
    if run.returncode != 0:
        print(run, file=sys.stderr)
    before, after = (hearth("chat", "--set", "temperature=0", *adapter, text="Who are you?\n").stdout for adapter in ((), ("--adapter", out)))
    print(before, after)
    results["it is Ember after 20 examples, and was not before"] = "Ember" in after and "Ember" not in before


def instructions(results, folder):
    if not DATA.is_dir():
        print(f"SKIPPED: {DATA} is not there")
        return
    out, base = folder / "sft", folder / "base"
    job = [EXAMPLES / "smollm2_lora_sft.yaml", f"dataset_dir={DATA}"]
    hearth("train", *job, f"output_dir={base}", "do_train=false", "do_eval=true")
    run = hearth("train", *job, f"output_dir={out}")
    if run.returncode != 0:
        print(run, file=sys.stderr)
    losses = [json.loads((place / "eval_results.json").read_text())["eval_loss"] for place in (base, out)]
    print("evaluation loss of the base and after an epoch:", *losses)
    results["the loss on held out instructions falls clearly"] = losses[1] < losses[0] - 0.05


def preferences(results, folder):
    if not DATA.is_dir():
        print(f"SKIPPED: {DATA} is not there")
        return
    out = folder / "dpo"
    run = hearth("train", EXAMPLES / "smollm2_lora_dpo.yaml", f"dataset_dir={DATA}", f"output_dir={out}")
    if run.returncode != 0:
        print(run, file=sys.stderr)
    history = json.loads((out / "trainer_state.json").read_text())["log_history"]
    accuracies = [record["rewards/accuracies"] for record in history if "loss" in record]
    margins = [record["eval_rewards/margins"] for record in history if "eval_loss" in record]
    print("accuracies on the training pairs:", *accuracies, "margins on held out pairs:", *margins)
    results["training pairs are told apart"] = accuracies[-1] > 0.8
    results["the margin on held out pairs grows"] = margins[0] == 0 < margins[1] < margins[-1]


def peft_loads_it(results):
    python = os.environ["HEARTH_REFERENCE_PYTHON"]
    with Job() as job:
        job.run("tuned", **{"max_steps": 20, "save_steps": 100})
        ids = job.folder / "ids.json"
        ids.write_text(json.dumps([[5, 9, 3, 17, 8, 40, 2, 11], [21, 4, 33, 7]]))
        checked = subprocess.run([python, ROOT / "tests" / "golden" / "check_adapter.py", job.model, job.out("tuned"), ids], capture_output=True, text=True,
                                 env={**os.environ, "HF_HUB_OFFLINE": "1"})
        print(checked.stdout, checked.stderr[-500:])
        results["peft loads the adapter, with nothing missing and nothing left over"] = checked.returncode == 0


def main():
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        identity(results, folder)
        instructions(results, folder)
        preferences(results, folder)
    peft_loads_it(results)
    conclude(results)


main()
