"""Evaluations with the default model: multiple choice from the terminal, from an archive, through the queue and past a killed worker, always with the same
letters; and do_eval alone as a job."""

import json
import os
import pathlib
import shutil
import signal
import sys
import zipfile

from checks import check, run_checks
from daemon import required
from queue_daemon import QueueDaemon, hearth, status_of, the_worker
from training_job import Job

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
FILES = ["eval_results.json", "results.json", "results.log"]


class Expected:
    def __init__(self, job):
        self.run = job.run("none", command=("eval",), yaml="choice.yaml", save_dir="whole")
        self.letters = (job.out("whole") / "results.json").read_bytes()
        self.table = (job.out("whole") / "results.log").read_text()
        self.results = json.loads((job.out("whole") / "eval_results.json").read_text())


@check
def eval_prints_the_table_and_keeps_it(job, daemon, expected):
    assert expected.run.returncode == 0 and expected.run.stdout == expected.table + "\n", expected.run
    assert [line.split(":")[0].strip() for line in expected.table.splitlines()] == ["Average", "STEM", "Humanities"]
    letters = json.loads(expected.letters)
    assert {subject: list(answers) for subject, answers in letters.items()} == {"numbers": [str(i) for i in range(10)], "words": [str(i) for i in range(10)]}
    average = expected.results["categories"]["Average"]
    assert average["questions"] == 20 and average["accuracy"] == 100 * average["correct"] / 20
    assert f"Average: {average['accuracy']:.2f}" in expected.table
    assert sorted(os.listdir(job.out("whole"))) == FILES, os.listdir(job.out("whole"))


@check
def an_archive_and_other_batches_give_the_same(job, daemon, expected):
    task = job.folder / "zipped" / "basics"
    task.mkdir(parents=True)
    shutil.copy(EXAMPLES / "evaluation/basics/mapping.json", task)
    with zipfile.ZipFile(task / "basics.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((EXAMPLES / "evaluation/basics/data").rglob("*.csv")):
            archive.write(path, path.relative_to(EXAMPLES / "evaluation/basics"))
    again = job.run("none", command=("eval",), yaml="choice.yaml", task_dir="zipped", save_dir="from_zip", batch_size=7)
    assert again.returncode == 0 and again.stdout == expected.run.stdout, again
    assert (job.out("from_zip") / "results.json").read_bytes() == expected.letters


@check
def what_cannot_be_is_refused(job, daemon, expected):
    for keys, code, text in [({"save_dir": "whole"}, 1, "has the results of an evaluation"), ({"task": "other_test"}, 1, "there is no such folder"),
                             ({"task": "basics_validation"}, 1, "has no file of split validation"), ({"task": "basics"}, 2, "must be a folder of task_dir and a split"),
                             ({"n_shots": 3}, 2, "did you mean 'n_shot'?")]:
        refused = job.run("none", command=("eval",), yaml="choice.yaml", **{"save_dir": "none", **keys})
        assert refused.returncode == code and text in refused.stderr and not refused.stdout, refused
    trained = job.run("none", yaml="choice.yaml")
    assert trained.returncode == 2 and "use hearth eval" in trained.stderr, trained
    spec = (job.folder / "choice.yaml").read_text()
    code, error = status_of(lambda: daemon.post("/v1/jobs", {"spec": spec, "directory": str(job.folder), "overrides": ["lang=de"]}))
    assert code == 400 and error["param"] == "spec" and "en, zh" in error["message"], error


@check
def a_job_of_the_queue_does_the_same(job, daemon, expected):
    done = hearth(job, daemon, "submit", "choice.yaml", "save_dir=queued", "--follow")
    assert done.returncode == 0, done.stderr
    id = done.stdout.splitlines()[0]
    shown = daemon.show(id)
    assert (shown["kind"], shown["output_dir"]) == ("eval", str(job.out("queued"))), shown
    percents = {name: category["accuracy"] for name, category in expected.results["categories"].items()}
    assert shown["result"]["metrics"] == percents and "served_as" not in shown["result"] and "not_served" not in shown["result"], shown
    assert {key: shown["progress"][key] for key in ("phase", "step", "total_steps")} == {"phase": "predicting", "step": 20, "total_steps": 20}
    listed = [file["path"] for file in json.loads(daemon.get(f"/v1/jobs/{id}/files"))["data"]]
    assert listed == FILES, listed
    assert daemon.get(f"/v1/jobs/{id}/files/content?path=results.json").encode() == expected.letters


@check
def a_killed_worker_begins_anew(job, daemon, expected):
    spec = (job.folder / "choice.yaml").read_text()
    id = daemon.post("/v1/jobs", {"spec": spec, "directory": str(job.folder), "overrides": ["save_dir=killed", "batch_size=1"]})["id"]
    os.kill(the_worker(daemon.state), signal.SIGKILL)
    assert daemon.wait(id, "succeeded")["attempt"] == 2
    assert (job.out("killed") / "results.json").read_bytes() == expected.letters


@check
def do_eval_alone_is_no_training(job, daemon, expected):
    id = daemon.submit(job, "evaluated", do_train="false", do_eval="true", val_size=4, report_to="none")
    shown = daemon.wait(id, "succeeded")
    assert shown["kind"] == "eval" and shown["result"]["metrics"]["eval_loss"] > 0, shown
    assert "served_as" not in shown["result"] and "not_served" not in shown["result"], shown


def main():
    with Job() as job:
        yaml = (EXAMPLES / "eval/smollm2_multiple_choice.yaml").read_text()
        yaml = yaml.replace("smollm2-135m-instruct", required("HEARTH_DEFAULT_MODEL")).replace("examples/evaluation", str(EXAMPLES / "evaluation"))
        (job.folder / "choice.yaml").write_text(yaml)
        with QueueDaemon(job) as daemon:
            run_checks(job, daemon, Expected(job))


if __name__ == "__main__":
    sys.exit(main())
