"""`hearth train` with `stage: dpo`, through the release binary: pairs are told apart, what is logged, what is left, the references that there are."""

import json

from training_job import Job, conclude, lines, told

METRICS = {"rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"}


def history(out):
    return json.loads((out / "trainer_state.json").read_text())["log_history"]


def write_pairs(job):
    rows = [{"conversations": [{"from": "human", "value": f"What is {i}?"}], "chosen": {"from": "gpt", "value": f"It is {i}."},
             "rejected": {"from": "gpt", "value": f"No idea what {i} is."}} for i in range(24)]
    (job.data / "pairs.json").write_text(json.dumps(rows))
    info = json.loads((job.data / "dataset_info.json").read_text())
    info["pairs"] = {"file_name": "pairs.json", "ranking": True, "formatting": "sharegpt",
                     "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}}
    (job.data / "dataset_info.json").write_text(json.dumps(info))


def run(job, out, **keys):
    return job.run(out, **{"stage": "dpo", "dataset": "pairs", "save_steps": 100} | keys)


def sigmoid(results, job):
    made = run(job, "dpo", val_size=4, eval_strategy="steps", eval_steps=4, plot_loss="true")
    out = job.out("dpo")
    records = history(out) if made.returncode == 0 else []
    trained, evaluated = [r for r in records if "loss" in r], [r for r in records if "eval_loss" in r]
    results["dpo: it ends well"] = made.returncode == 0 and told(made) == []
    results["dpo: it says what the reference is"] = f"the reference is {job.model}\n" in made.stdout
    results["dpo: every log line has the metrics of pairs"] = bool(trained) and all(METRICS <= set(record) for record in trained)
    results["dpo: evaluations too"] = bool(evaluated) and all({f"eval_{name}" for name in METRICS} <= set(record) for record in evaluated)
    results["dpo: pairs are told apart"] = trained[-1]["rewards/accuracies"] > 0.9 and trained[-1]["loss"] < 0.5 < trained[0]["loss"] < 0.72
    results["dpo: held out ones as well"] = evaluated[-1]["eval_rewards/margins"] > evaluated[0]["eval_rewards/margins"] > 0
    results["dpo: trainer_log.jsonl has their accuracy"] = [line["accuracy"] for line in lines(out / "trainer_log.jsonl") if "loss" in line] == [
        record["rewards/accuracies"] for record in trained]
    results["dpo: the plot of their accuracy"] = (out / "training_rewards_accuracies.png").stat().st_size > 1000
    results["dpo: eval_results.json"] = json.loads((out / "eval_results.json").read_text())["eval_rewards/margins"] == evaluated[-1]["eval_rewards/margins"]


def references(results, job):
    made = job.run("sft", max_steps=4)
    results["an SFT adapter"] = made.returncode == 0
    on = run(job, "on", adapter_name_or_path=job.out("sft"), max_steps=2, logging_steps=1)
    results["training on: the reference is the base, and the log says so"] = on.returncode == 0 and f"the reference is {job.model} without {job.out('sft')}" in on.stdout
    results["training on: rewards are not 0 from the start"] = history(job.out("on"))[0]["rewards/chosen"] != 0
    new = run(job, "new", adapter_name_or_path=job.out("sft"), create_new_adapter="true", max_steps=2, logging_steps=1)
    results["a new adapter: the reference is the SFT model, and the log says so"] = (
        new.returncode == 0 and f"the reference is {job.model} with {job.out('sft')}, on which a new adapter is trained" in new.stdout)
    results["a new adapter: rewards are 0 at the start"] = history(job.out("new"))[0]["rewards/chosen"] == 0
    for loss in ("orpo", "simpo"):
        made = run(job, loss, pref_loss=loss, max_steps=8)
        records = [record for record in history(job.out(loss)) if "loss" in record] if made.returncode == 0 else [{"loss": 0}]
        results[f"{loss}: needs no reference"] = made.returncode == 0 and "no reference" in made.stdout and records[-1]["loss"] < records[0]["loss"]
    full = run(job, "full", pref_loss="orpo", finetuning_type="full", max_steps=2)
    results["orpo: in full"] = full.returncode == 0 and (job.out("full") / "model.safetensors").exists()


def refusals(results, job):
    plain = run(job, "plain", dataset="facts")
    results["data without pairs is refused"] = plain.returncode == 1 and "ranking" in plain.stderr and not job.out("plain").exists()
    sft = job.run("pairs", dataset="pairs")
    results["pairs are refused by sft"] = sft.returncode == 1 and "ranking" in sft.stderr
    shown = run(job, "none", command=("preprocess",))
    results["preprocess shows both answers"] = shown.returncode == 0 and "[[It is 0." in shown.stdout and "[[No idea what 0 is." in shown.stdout


def main():
    results = {}
    with Job() as job:
        write_pairs(job)
        sigmoid(results, job)
        references(results, job)
        refusals(results, job)
    conclude(results)


main()
