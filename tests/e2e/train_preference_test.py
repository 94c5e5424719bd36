"""`hearth train` with the stages dpo, kto and rm, through the release binary: answers are told apart, what is logged, what is left, the references that there are."""

import json
import struct
import zlib

from training_job import Job, conclude, lines, told

METRICS = {"rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected", "entropy",
           "mean_token_accuracy"}


def history(out):
    return json.loads((out / "trainer_state.json").read_text())["log_history"]


def rewards_of(out):
    return [record["rewards/chosen"] for record in history(out) if "loss" in record]


def moved(record, by):
    """A record of reference_cache.h with another sum."""
    hashed, total = struct.unpack("<Qd", record[:16])
    content = struct.pack("<QdI", hashed, total + by, 0)
    return content + struct.pack("<I", zlib.crc32(content))


def write_pairs(job):
    rows = [{"conversations": [{"from": "human", "value": f"What is {i}?"}], "chosen": {"from": "gpt", "value": f"It is {i}."},
             "rejected": {"from": "gpt", "value": f"No idea what {i} is."}} for i in range(24)]
    (job.data / "pairs.json").write_text(json.dumps(rows))
    info = json.loads((job.data / "dataset_info.json").read_text())
    info["pairs"] = {"file_name": "pairs.json", "ranking": True, "formatting": "sharegpt",
                     "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}}
    (job.data / "dataset_info.json").write_text(json.dumps(info))


def write_trl(job):
    """The same pairs as TRL's users have them, the prompt in both conversations, and each answer by itself."""
    pairs = json.loads((job.data / "pairs.json").read_text())

    def message(role, content):
        return {"role": role, "content": content}

    asked = [message("user", row["conversations"][0]["value"]) for row in pairs]
    rows = [{key: [question, message("assistant", row[key]["value"])] for key in ("chosen", "rejected")} for row, question in zip(pairs, asked)]
    (job.data / "trl.json").write_text(json.dumps(rows))
    rows = [{"prompt": [question], "completion": [message("assistant", row[key]["value"])], "label": key == "chosen"} for row, question in zip(pairs, asked)
            for key in ("chosen", "rejected")]
    (job.data / "feedback.json").write_text(json.dumps(rows))
    rows = [{"input": {"messages": [question]}, **{f"{name}preferred_output": [message("assistant", row[key]["value"])]
                                                   for name, key in (("", "chosen"), ("non_", "rejected"))}} for row, question in zip(pairs, asked)]
    (job.data / "openai.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    info = json.loads((job.data / "dataset_info.json").read_text())
    info |= {name: {"file_name": f"{name}.json", "formatting": "trl"} for name in ("trl", "feedback")}
    info["openai"] = {"file_name": "openai.jsonl", "formatting": "openai", "ranking": True}
    (job.data / "dataset_info.json").write_text(json.dumps(info))


def run(job, out, **keys):
    return job.run(out, **{"stage": "dpo", "dataset": "pairs", "save_steps": 100} | keys)


def sigmoid(results, job):
    made = run(job, "dpo", val_size=4, eval_strategy="steps", eval_steps=4, plot_loss="true")
    out = job.out("dpo")
    records = history(out) if made.returncode == 0 else []
    trained, evaluated = [r for r in records if "loss" in r], [r for r in records if "eval_loss" in r]
    results["dpo: it ends well"] = made.returncode == 0 and told(made) == []
    results["dpo: it says what the reference is"] = f"the reference is {job.model}; what it says is computed once" in made.stdout
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
    results["training on: the reference is the base, and the log says so"] = on.returncode == 0 and f"the reference is {job.model} (training starts from {job.out('sft')};" in on.stdout
    results["training on: rewards are not 0 from the start"] = history(job.out("on"))[0]["rewards/chosen"] != 0
    new = run(job, "new", adapter_name_or_path=job.out("sft"), create_new_adapter="true", max_steps=2, logging_steps=1)
    results["a new adapter: the reference is the SFT model, and the log says so"] = (
        new.returncode == 0 and f"the reference is {job.model} with {job.out('sft')};" in new.stdout)
    results["a new adapter: rewards are 0 at the start"] = history(job.out("new"))[0]["rewards/chosen"] == 0
    both = run(job, "both", adapter_name_or_path=job.out("sft"), ref_model_adapters=job.out("sft"), max_steps=8, logging_steps=1)
    results["an SFT adapter is start and reference, and the log says so"] = both.returncode == 0 and f"the reference is {job.model} with {job.out('sft')};" in both.stdout
    records = history(job.out("both"))
    results["start and reference: rewards are 0 at the start, and grow"] = records[0]["rewards/chosen"] == 0 and records[7]["rewards/margins"] > 0
    results["start and reference: adapter_config.json says so"] = json.loads((job.out("both") / "adapter_config.json").read_text())["hearth"] == {
        "stage": "dpo", "start": str(job.out("sft")), "reference": f"{job.model} with {job.out('sft')}"}
    own = run(job, "own", ref_model=job.model, ref_model_adapters=job.out("sft"), max_steps=2, logging_steps=1)
    results["a reference of its own"] = own.returncode == 0 and history(job.out("own"))[0]["rewards/chosen"] != 0
    again = run(job, "again", adapter_name_or_path=job.out("both"), max_steps=1)
    results["an adapter that says where it is from trains on"] = again.returncode == 0
    for loss in ("orpo", "simpo"):
        made = run(job, loss, pref_loss=loss, max_steps=8)
        records = [record for record in history(job.out(loss)) if "loss" in record] if made.returncode == 0 else [{"loss": 0}]
        results[f"{loss}: needs no reference"] = made.returncode == 0 and "no reference" in made.stdout and records[-1]["loss"] < records[0]["loss"]
    for loss in ("orpo", "sigmoid"):
        full = run(job, f"full_{loss}", pref_loss=loss, finetuning_type="full", max_steps=8, logging_steps=1)
        records = [record for record in history(job.out(f"full_{loss}")) if "loss" in record] if full.returncode == 0 else [{"loss": 0}]
        results[f"{loss}: in full"] = records[-1]["loss"] < records[0]["loss"] and (job.out(f"full_{loss}") / "model.safetensors").exists()


def cached(results, job):
    """What the reference says is computed once, whatever run, order or batch asks for it."""
    first = run(job, "first", max_steps=6, logging_steps=1, seed=7)
    second = run(job, "second", max_steps=6, logging_steps=1, seed=7)
    never = run(job, "never", max_steps=6, logging_steps=1, seed=7, precompute_ref_log_probs="false")
    results["kept: all three end well"] = [made.returncode for made in (first, second, never)] == [0, 0, 0]
    results["kept: the log says how many"] = "(48 answers so far)" in second.stdout and "computed anew at every step" in never.stdout
    results["kept: the same numbers to the bit"] = job.adapter("first") == job.adapter("second") == job.adapter("never")
    # What is on disk is used: the sum of an answer that is made another (all but the first that is met, which is computed again) changes the rewards.
    kept = sorted((job.folder / "cache" / "hearth" / "reference").glob("*.bin"), key=lambda path: path.stat().st_mtime)
    rewards = rewards_of(job.out("second"))
    raw = max(kept, key=lambda path: str(path) in second.stdout)
    whole = raw.read_bytes()
    raw.write_bytes(whole[:8] + b"".join(moved(whole[at:at + 24], 3.0) for at in range(8, len(whole), 24)))
    moved_all = run(job, "moved", max_steps=6, logging_steps=1, seed=7)
    results["kept: numbers of other arithmetic are found out, and made anew"] = moved_all.returncode == 0 and rewards_of(job.out("moved")) == rewards
    whole = raw.read_bytes()
    raw.write_bytes(whole[:8 + 48] + b"".join(moved(whole[at:at + 24], 3.0) for at in range(8 + 48, len(whole), 24)))
    some = run(job, "some", max_steps=6, logging_steps=1, seed=7)
    results["kept: what is on disk is what is compared with"] = some.returncode == 0 and rewards_of(job.out("some")) != rewards
    raw.unlink()
    single = run(job, "bf16", max_steps=1, bf16="true")
    results["kept: bf16 has a file of its own"] = single.returncode == 0 and raw.name not in single.stdout
    job.run("sft2", max_steps=4)
    keys = {"adapter_name_or_path": job.out("sft2"), "ref_model_adapters": str(job.out("sft2")) + "/", "max_steps": 1, "logging_steps": 1}
    run(job, "before", **keys)
    job.remove("sft2")
    job.run("sft2", max_steps=4, seed=5)
    retrained = run(job, "after", **keys)
    results["kept: an adapter trained anew in its place is another reference"] = retrained.returncode == 0 and history(job.out("after"))[0]["rewards/chosen"] == 0
    job.environment["XDG_CACHE_HOME"] = "/proc/none"
    without = run(job, "without", max_steps=6, logging_steps=1, seed=7)
    job.environment["XDG_CACHE_HOME"] = str(job.folder / "cache")
    results["kept: without a place for it training goes on, and says so"] = without.returncode == 0 and "cannot be kept on disk: /proc/none" in without.stdout
    results["kept: the same numbers without"] = job.adapter("without") == job.adapter("first")


def losses(results, job):
    made = run(job, "list", pref_loss="[sigmoid, bco_pair, sft]", loss_weights="[0.8, 0.2, 1.0]", max_steps=8, logging_steps=1)
    records = [record for record in history(job.out("list")) if "loss" in record] if made.returncode == 0 else [{"loss": 0}]
    results["several losses: each is logged"] = all(abs(0.8 * r["loss/sigmoid"] + 0.2 * r["loss/bco_pair"] + r["loss/sft"] - r["loss"]) < 1e-5 for r in records)
    results["several losses: the sum falls"] = records[-1]["loss"] < records[0]["loss"]
    wrong = run(job, "wrong", pref_loss="[sigmoid, sfd]")
    results["several losses: a slip is told"] = wrong.returncode == 2 and "'sfd' (did you mean 'sft'?)" in wrong.stderr
    uneven = run(job, "uneven", pref_loss="[sigmoid, sft]", loss_weights="[1]")
    results["several losses: weights are counted"] = uneven.returncode == 2 and "'loss_weights' has 1 numbers and 'pref_loss' 2 losses" in uneven.stderr


def formats(results, job):
    write_trl(job)
    made = [run(job, out, dataset=out, max_steps=4) for out in ("pairs", "trl", "openai")]
    results["formats: sharegpt, TRL's and OpenAI's"] = [one.returncode for one in made] == [0, 0, 0]
    results["formats: the same pairs make the same adapter"] = job.adapter("pairs") == job.adapter("trl") == job.adapter("openai")


def kto(results, job):
    made = run(job, "kto", stage="kto", dataset="feedback", val_size=8, eval_strategy="steps", eval_steps=10, num_train_epochs=3)
    records = history(job.out("kto")) if made.returncode == 0 else []
    trained, evaluated = [r for r in records if "loss" in r], [r for r in records if "eval_loss" in r]
    results["kto: it ends well"] = made.returncode == 0 and told(made) == []
    results["kto: liked and disliked answers are told apart"] = bool(trained) and trained[-1]["rewards/margins"] > 0.5 and trained[-1]["loss"] < trained[0]["loss"]
    results["kto: held out ones as well"] = bool(evaluated) and evaluated[-1]["eval_rewards/margins"] > 0.2 and evaluated[-1]["eval_kl"] >= 0
    liked = [row for row in json.loads((job.data / "feedback.json").read_text()) if row["label"]][:6]
    (job.data / "liked.json").write_text(json.dumps(liked))
    info = json.loads((job.data / "dataset_info.json").read_text())
    (job.data / "dataset_info.json").write_text(json.dumps(info | {"liked": {"file_name": "liked.json", "formatting": "trl"}}))
    judged = run(job, "judged", stage="kto", dataset="feedback", eval_dataset="liked", eval_strategy="steps", eval_steps=4, save_steps=4,
                 load_best_model_at_end="true", metric_for_best_model="rewards/margins")
    results["kto: a metric that held out answers of one kind lack is told"] = judged.returncode == 1 and "'eval_rewards/margins' was not in this evaluation" in judged.stderr
    pairs = run(job, "kto_pairs", stage="kto")
    results["kto: data without tags is refused"] = pairs.returncode == 1 and "kto_tag" in pairs.stderr


def reward_model(results, job):
    made = run(job, "rm", stage="rm", val_size=4, eval_strategy="steps", eval_steps=5, save_steps=10)
    records = history(job.out("rm")) if made.returncode == 0 else []
    trained, evaluated = [r for r in records if "loss" in r], [r for r in records if "eval_loss" in r]
    results["rm: it ends well"] = made.returncode == 0 and told(made) == [] and "and a value head" in made.stdout
    results["rm: pairs are told apart"] = bool(trained) and trained[-1]["accuracy"] > 0.9 and trained[-1]["loss"] < 0.4
    results["rm: held out ones as well"] = bool(evaluated) and evaluated[-1]["eval_accuracy"] == 1
    results["rm: the value head is beside the adapter"] = (job.out("rm") / "value_head.safetensors").exists()
    results["rm: and in checkpoints"] = (job.out("rm") / "checkpoint-10" / "value_head.safetensors").exists()
    on = run(job, "rm_on", stage="rm", adapter_name_or_path=job.out("rm"), max_steps=2, logging_steps=1)
    results["rm: training on starts from its head"] = on.returncode == 0 and history(job.out("rm_on"))[0]["loss"] < 0.4
    full = run(job, "rm_full", stage="rm", finetuning_type="full", max_steps=2)
    results["rm: in full"] = full.returncode == 0 and (job.out("rm_full") / "value_head.safetensors").exists()


def refusals(results, job):
    plain = run(job, "plain", dataset="facts")
    results["data without pairs is refused"] = plain.returncode == 1 and "ranking" in plain.stderr and not job.out("plain").exists()
    sft = job.run("sft_pairs", dataset="pairs")
    results["pairs are refused by sft"] = sft.returncode == 1 and "ranking" in sft.stderr
    saved = job.folder / "tokenized"
    results["tokenised pairs are saved"] = run(job, "saved", tokenized_path=saved, max_steps=1).returncode == 0
    raw = bytearray((saved / "tokenized.bin").read_bytes())
    header = struct.unpack("<Q", raw[8:16])[0]
    count = json.loads(raw[16:16 + header])["sets"][0]["examples"]
    packed = 16 + header + 4 * 4 * count  # behind lengths, numbers of parts, attention and tags
    first, second = struct.unpack("<ii", raw[packed:packed + 8])
    raw[packed:packed + 8] = struct.pack("<ii", first + second, 0)
    (saved / "tokenized.bin").write_bytes(raw)
    empty = run(job, "empty", tokenized_path=saved, max_steps=1)
    results["an answer without tokens in a tokenised file is refused"] = empty.returncode == 1 and "is not what stage dpo learns from" in empty.stderr
    shown = run(job, "none", command=("preprocess",))
    results["preprocess shows both answers"] = shown.returncode == 0 and "[[It is 0." in shown.stdout and "[[No idea what 0 is." in shown.stdout


def main():
    results = {}
    with Job() as job:
        write_pairs(job)
        sigmoid(results, job)
        references(results, job)
        cached(results, job)
        losses(results, job)
        formats(results, job)
        kto(results, job)
        reward_model(results, job)
        refusals(results, job)
    conclude(results)


if __name__ == "__main__":
    main()
