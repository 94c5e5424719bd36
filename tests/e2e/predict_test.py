"""do_predict with the default model: from the terminal, through the queue, killed and gone on; always the same bytes, and their scores."""

import json
import os
import signal
import sys
import time

from checks import check, run_checks
from daemon import required
from queue_daemon import QueueDaemon, hearth, status_of, the_worker
from training_job import Job, lines

YAML = """\
model_name_or_path: {model}
dataset_dir: data
eval_dataset: questions
stage: sft
do_predict: true
predict_with_generate: true
finetuning_type: lora
template: smollm2
max_new_tokens: 24
output_dir: out
"""
CAPITALS = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo", "Spain": "Madrid", "Egypt": "Cairo", "Peru": "Lima", "Norway": "Oslo", "Greece": "Athens"}
ROWS = [{"instruction": f"What is the capital of {country}?", "input": "", "output": f"The capital of {country} is {city}."} for country, city in CAPITALS.items()]
ROWS += [{"instruction": f"What is {i} + {i}?", "input": "", "output": str(2 * i)} for i in range(8)]
ROWS += [{"instruction": "Say hello", "input": "in Chinese", "output": "你好！"}, {"instruction": "", "input": "", "output": ""},
         {"instruction": "Repeat: 😀", "output": "😀"}, {"instruction": "And again?", "output": "Yes", "history": [["Say yes", "Yes"]]}]
SCORES = {"predict_bleu-4", "predict_rouge-1", "predict_rouge-2", "predict_rouge-l", "predict_exact_match", "predict_f1", "predict_sacrebleu",
          "predict_sentence_sacrebleu", "predict_word_rouge1", "predict_word_rouge2", "predict_word_rougeL"}


class Expected:
    """What a run that nothing disturbed leaves."""

    def __init__(self, job):
        self.run = job.run("whole", yaml="predict.yaml")
        self.predictions = predictions(job, "whole")
        self.results = json.loads((job.out("whole") / "predict_results.json").read_text())


def predictions(job, out):
    path = job.out(out) / "generated_predictions.jsonl"
    return path.read_bytes() if path.exists() else b""


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.002)


@check
def a_yaml_with_do_predict_leaves_predictions_and_scores(job, daemon, expected):
    assert expected.run.returncode == 0, expected.run.stderr
    made = lines(job.out("whole") / "generated_predictions.jsonl")
    assert [list(line) for line in made] == [["prompt", "predict", "label"]] * len(ROWS)
    assert made[0]["label"] == ROWS[0]["output"] + "\n" and "Paris" in made[0]["predict"], made[0]
    assert made[0]["prompt"].startswith("<|im_start|>system\nYou are a helpful AI assistant") and made[0]["prompt"].endswith("<|im_start|>assistant\n")
    assert SCORES | {"predict_runtime", "predict_samples_per_second", "predict_steps_per_second", "predict_model_preparation_time"} == set(expected.results)
    of_each = lines(job.out("whole") / "predict_scores.jsonl")
    assert [one["index"] for one in of_each] == list(range(len(ROWS)))
    for name in ("bleu-4", "rouge-1", "rouge-2", "rouge-l", "exact_match", "f1"):
        assert abs(sum(one[name] for one in of_each) / len(ROWS) - expected.results[f"predict_{name}"]) < 1e-9, name


@check
def eval_prints_one_object_of_scores(job, daemon, expected):
    again = job.run("again", command=("eval",), yaml="predict.yaml", per_device_eval_batch_size=3)
    assert again.returncode == 0, again.stderr
    scores = json.loads(again.stdout)
    assert set(scores) == SCORES and all(scores[name] == expected.results[name] for name in SCORES)
    assert predictions(job, "again") == expected.predictions
    of_file = hearth(job, daemon, "eval", str(job.out("whole") / "generated_predictions.jsonl"))
    assert json.loads(of_file.stdout) == scores, of_file.stderr


@check
def what_is_no_prediction_is_refused(job, daemon, expected):
    (job.folder / "bad.jsonl").write_text('{"predict": "a", "label": "b"}\n{"predict": "a"}\n')
    bad, missing = hearth(job, daemon, "eval", "bad.jsonl"), hearth(job, daemon, "eval", "none.jsonl")
    assert bad.returncode == 1 and "bad.jsonl, row 2: there is no \"label\"" in bad.stderr and not bad.stdout, bad.stderr
    assert missing.returncode == 1 and "none.jsonl" in missing.stderr, missing.stderr
    wrong = job.run("wrong", command=("eval",), yaml="predict.yaml", eval_dataset="")
    assert wrong.returncode == 2 and "there is nothing to evaluate on" in wrong.stderr, wrong.stderr


@check
def killed_it_goes_on(job, daemon, expected):
    process = job.start("killed", yaml="predict.yaml", per_device_eval_batch_size=1)
    until(lambda: predictions(job, "killed").count(b"\n") >= 4)
    process.kill()
    process.communicate()
    left = predictions(job, "killed")
    assert left != expected.predictions and expected.predictions.startswith(left)
    with open(job.out("killed") / "generated_predictions.jsonl", "ab") as file:
        file.write(b'{"prompt": "half of a li')
    again = job.run("killed", yaml="predict.yaml")
    assert again.returncode == 0 and f"{left.count(10)} of them are there from an earlier run" in again.stdout, again.stdout
    assert predictions(job, "killed") == expected.predictions


@check
def asked_to_end_it_keeps_what_is_done(job, daemon, expected):
    process = job.start("ended", yaml="predict.yaml", per_device_eval_batch_size=1)
    until(lambda: predictions(job, "ended").count(b"\n") >= 2)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate()
    assert process.returncode == 130 and "the same command goes on" in stderr, stderr
    assert not (job.out("ended") / "predict_results.json").exists()
    assert job.run("ended", yaml="predict.yaml").returncode == 0 and predictions(job, "ended") == expected.predictions


@check
def a_job_of_the_queue_does_the_same(job, daemon, expected):
    done = hearth(job, daemon, "submit", "predict.yaml", "output_dir=queued", "--follow")
    assert done.returncode == 0, done.stderr
    shown = daemon.show(done.stdout.splitlines()[0])
    assert shown["kind"] == "predict" and shown["result"]["output_dir"] == str(job.out("queued")), shown
    assert all(shown["result"]["metrics"][name] == expected.results[name] for name in SCORES)
    assert {key: shown["progress"][key] for key in ("phase", "step", "total_steps")} == {"phase": "predicting", "step": len(ROWS), "total_steps": len(ROWS)}
    assert "served_as" not in shown["result"] and "not_served" not in shown["result"]
    assert predictions(job, "queued") == expected.predictions


@check
def a_killed_worker_and_a_pause_lose_nothing(job, daemon, expected):
    spec = (job.folder / "predict.yaml").read_text()
    id = daemon.post("/v1/jobs", {"spec": spec, "directory": str(job.folder), "overrides": ["output_dir=disturbed", "per_device_eval_batch_size=1"]})["id"]
    until(lambda: predictions(job, "disturbed").count(b"\n") >= 2)
    os.kill(the_worker(daemon.state), signal.SIGKILL)
    until(lambda: daemon.show(id)["attempt"] == 2)
    daemon.post(f"/v1/jobs/{id}/pause", {})
    daemon.wait(id, "paused")
    assert 2 <= predictions(job, "disturbed").count(b"\n") < len(ROWS)
    daemon.post(f"/v1/jobs/{id}/resume", {})
    assert daemon.wait(id, "succeeded")["attempt"] == 3
    assert predictions(job, "disturbed") == expected.predictions


@check
def a_training_job_predicts_with_what_it_trained(job, daemon, expected):
    keys = {"do_train": "true", "dataset": "questions", "max_steps": 8, "learning_rate": "1e-3", "bf16": "true", "per_device_train_batch_size": 2, "report_to": "none"}
    trained = job.run("trained", yaml="predict.yaml", **keys)
    assert trained.returncode == 0, trained.stderr
    made = predictions(job, "trained")
    assert made.count(b"\n") == len(ROWS) and made != expected.predictions
    all_results = json.loads((job.out("trained") / "all_results.json").read_text())
    assert {"train_loss", "eval_loss", "predict_bleu-4"} <= set(all_results)
    assert all_results["predict_rouge-l"] > expected.results["predict_rouge-l"]
    again = job.run("trained", command=("eval",), yaml="predict.yaml", **keys)
    assert json.loads(again.stdout)["predict_bleu-4"] == all_results["predict_bleu-4"] and predictions(job, "trained") == made


@check
def what_cannot_be_is_refused_by_the_queue(job, daemon, expected):
    spec = (job.folder / "predict.yaml").read_text() + "num_beams: 4\n"
    code, error = status_of(lambda: daemon.post("/v1/jobs", {"spec": spec, "directory": str(job.folder)}))
    assert code == 400 and error["param"] == "spec" and "there is no beam search" in error["message"], error


def main():
    with Job() as job:
        (job.folder / "predict.yaml").write_text(YAML.format(model=required("HEARTH_DEFAULT_MODEL")))
        (job.data / "questions.json").write_text(json.dumps(ROWS))
        info = json.loads((job.data / "dataset_info.json").read_text())
        columns = {"prompt": "instruction", "query": "input", "response": "output", "history": "history"}
        (job.data / "dataset_info.json").write_text(json.dumps(info | {"questions": {"file_name": "questions.json", "columns": columns}}))
        with QueueDaemon(job) as daemon:
            run_checks(job, daemon, Expected(job))


if __name__ == "__main__":
    sys.exit(main())
