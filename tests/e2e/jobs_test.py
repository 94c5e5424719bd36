"""The queue over HTTP and from the terminal: jobs run in their order, do what they are asked within a step, and end with the bytes that hearth train writes."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

from daemon import required
from queue_daemon import QueueDaemon, hearth, status_of, the_worker, workers
from training_job import Job, conclude, losses

KEYS = {"max_steps": 12, "save_steps": 3, "logging_steps": 1}
# A tiny model makes hundreds of steps a second: so many batches a step make one that lasts.
SLOW = {"gradient_accumulation_steps": 12, "max_steps": 400, "save_steps": 250, "logging_steps": 50}
LONG = dict(SLOW, max_steps=100000, save_steps=50000, logging_steps=1000)


def a_job_of_the_queue_is_hearth_train(results, job, daemon):
    job.run("alone", **KEYS)
    submitted = hearth(job, daemon, "submit", "job.yaml", "output_dir=queued", *(f"{key}={value}" for key, value in KEYS.items()), "--follow")
    id = submitted.stdout.splitlines()[0]
    shown = daemon.show(id)
    results["submit --follow: shows the job until it has succeeded"] = submitted.returncode == 0 and "loss " in submitted.stdout and "saved " in submitted.stdout
    results["a job trains what hearth train does, to the byte"] = job.adapter("alone") == job.adapter("queued") and losses(job.out("alone")) == losses(job.out("queued"))
    results["its result names the directory that the YAML meant"] = shown["result"]["output_dir"] == str(job.out("queued"))
    events = daemon.events(id)
    results["its events have every step's loss"] = [e["data"]["step"] for e in events if e["type"] == "metrics" and "loss" in e["data"]] == list(range(1, 13))
    results["jobs lists it"] = id in hearth(job, daemon, "jobs").stdout
    results["jobs show tells where it is"] = str(job.out("queued")) in hearth(job, daemon, "jobs", "show", id).stdout
    results["jobs log is empty of a job that went well"] = hearth(job, daemon, "jobs", "log", id).stdout == ""


def what_a_job_trained_answers(results, job, daemon):
    ask = lambda model: daemon.post("/v1/chat/completions", {"model": model, "max_tokens": 8, "temperature": 0, "messages": [{"role": "user", "content": "What is 3?"}]})
    keys = dict(KEYS, max_steps=60, learning_rate="1e-2")
    first = daemon.wait(daemon.submit(job, "tuned", **keys), "succeeded")["result"]["served_as"]
    answers = [ask(model)["choices"][0]["message"]["content"] for model in ("tiny", first, "tuned")]
    results["a job's adapter answers at once, as base:name and as name"] = first == "tiny:tuned" and answers[0] != answers[1] == answers[2]
    again = daemon.wait(daemon.submit(job, "tuned", overwrite_output_dir="true", **dict(keys, learning_rate="1e-5")), "succeeded")["result"]["served_as"]
    results["a second run into its directory takes its place"] = again == first and ask(first)["choices"][0]["message"]["content"] == answers[0]
    whole = daemon.wait(daemon.submit(job, "whole", **dict(keys, finetuning_type="full")), "succeeded")["result"]["served_as"]
    results["a fully tuned model answers by its own name"] = whole == "whole" and ask("whole")["choices"][0]["message"]["content"] != answers[0]
    (job.folder / "elsewhere").mkdir()
    other = daemon.wait(daemon.submit(job, "elsewhere/tuned", **keys), "succeeded")["result"]["served_as"]
    results["another directory of that name gets a name of its own"] = other == "tiny:tuned-2" and ask(other)["choices"][0]["message"]["content"] == answers[1]
    on_top = daemon.wait(daemon.submit(job, "on_top", adapter_name_or_path=job.out("elsewhere/tuned"), create_new_adapter="true", **keys), "succeeded")["result"]["served_as"]
    results["an adapter over a merged one answers as a model"] = on_top == "on_top" and bool(ask("on_top")["choices"])
    listed = {model["id"]: model for model in json.loads(daemon.get("/v1/models"))["data"]}
    results["the list has them with their parents"] = listed["tuned"]["parent"] == "tiny" and listed["whole"]["parent"] is None


def asked_of_running_jobs(results, job, daemon):
    id = daemon.submit(job, "paused", **SLOW)
    daemon.wait_for_step(id, 3)
    asked = time.monotonic()
    hearth(job, daemon, "jobs", "pause", id)
    daemon.wait(id, "paused")
    results["pause: within a step, not at the end"] = time.monotonic() - asked < 5 and daemon.show(id)["progress"]["step"] < 400
    at = max(int(name.split("-")[1]) for name in os.listdir(job.out("paused")) if name.startswith("checkpoint-"))
    results["pause: leaves a checkpoint of where it was"] = 0 < at < 250 and not workers(daemon.state)
    hearth(job, daemon, "jobs", "resume", id)
    daemon.wait(id, "succeeded")
    job.run("never_paused", **SLOW)
    results["resume: ends with the bytes of a job that was never paused"] = job.adapter("paused") == job.adapter("never_paused")
    id = daemon.submit(job, "cancelled", **LONG)
    daemon.wait_for_step(id, 3)
    results["cancel: a running job says so"] = "will be cancelled" in hearth(job, daemon, "jobs", "cancel", id).stdout
    deadline = time.monotonic() + 10
    while daemon.show(id)["status"] != "cancelled" and time.monotonic() < deadline:
        time.sleep(0.05)
    results["cancel: within a step, and no worker is left"] = daemon.show(id)["status"] == "cancelled" and not workers(daemon.state)
    code, error = status_of(lambda: daemon.post(f"/v1/jobs/{id}/resume", {}))
    results["resume of a cancelled job: 400"] = code == 400 and "only a paused one is resumed" in error["message"]


def order_and_idempotency(results, job, daemon):
    first = daemon.submit(job, "first", **LONG)
    daemon.wait(first, "running")
    later, urgent = daemon.submit(job, "later", **KEYS), daemon.submit(job, "urgent", priority=1, **KEYS)
    results["one job at a time"] = [daemon.show(id)["status"] for id in (later, urgent)] == ["queued", "queued"]
    daemon.post(f"/v1/jobs/{first}/cancel", {})
    daemon.wait(later, "succeeded")
    results["the urgent one runs first"] = daemon.show(urgent)["finished_at"] <= daemon.show(later)["started_at"]
    key = {"Idempotency-Key": "once"}
    same = [daemon.submit(job, "once", headers=key, **KEYS) for _ in range(2)]
    daemon.headers = {}
    results["a submission with the same Idempotency-Key is the same job"] = same[0] == same[1]
    daemon.wait(same[0], "succeeded")
    page = json.loads(daemon.get("/v1/jobs?limit=2&status=succeeded"))
    results["lists: newest first, by status, paged"] = page["data"][0]["id"] == same[0] and page["has_more"] and page["last_id"] == page["data"][1]["id"]


def crashes(results, job, daemon):
    id = daemon.submit(job, "crashed", **dict(SLOW, save_steps=20))
    daemon.wait_for_step(id, 22)
    chat = [daemon.post("/v1/chat/completions", {"model": "tiny", "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]})]
    os.kill(the_worker(daemon.state), signal.SIGSEGV)
    chat.append(daemon.post("/v1/chat/completions", {"model": "tiny", "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}))
    shown = daemon.wait(id, "succeeded")
    told = [event["message"] for event in daemon.events(id) if event["level"] == "warn"]
    results["a worker's crash is an event, and the job goes on from its checkpoint"] = shown["attempt"] == 2 and any("signal 11" in text for text in told)
    results["and chat went on meanwhile"] = all(answer["choices"] for answer in chat)
    bad = daemon.submit(job, "bad", dataset="missing")
    while daemon.show(bad)["status"] in ("queued", "running"):
        time.sleep(0.02)
    error = daemon.show(bad)["error"]
    results["a job that cannot work fails once, with the reason"] = error["code"] == "not_found" and "missing.json" in error["message"] and daemon.show(bad)["attempt"] == 1


def refusals(results, job, daemon):
    submit = lambda **body: status_of(lambda: daemon.post("/v1/jobs", body))
    yaml = (job.folder / "job.yaml").read_text()
    code, error = submit(spec=yaml.replace("lora_rank", "lora_rnk"), name="job.yaml", directory=str(job.folder))
    results["a mistake in the YAML: 400 with line and nearest key"] = code == 400 and "job.yaml:" in error["message"] and "lora_rank" in error["message"]
    results["no spec: 400"] = submit()[0] == 400
    code, error = submit(spec=yaml, overrides=["output_dir=x"], directory="relative")
    results["a relative directory: 400 that names it"] = code == 400 and error["param"] == "directory"
    code, error = submit(spec=yaml, overrides=["output_dir=x"])
    results["a relative output_dir without a directory: 400"] = code == 400 and error["param"] == "directory"
    results["no such job: 404"] = status_of(lambda: daemon.get("/v1/jobs/job-none"))[0] == 404 and status_of(lambda: daemon.get("/v1/jobs/job-none/events"))[0] == 404
    results["an unknown status or page: 400"] = [status_of(lambda: daemon.get(f"/v1/jobs?{q}"))[0] for q in ("status=runing", "after=x", "limit=0")] == [400, 400, 400]
    wrong = hearth(job, daemon, "submit", "job.yaml", "lora_rnk=4")
    results["submit: a mistake is exit code 2, before the daemon is asked"] = wrong.returncode == 2 and "lora_rank" in wrong.stderr
    second = subprocess.run([required("HEARTH_BINARY"), "serve", "--model", f"m={job.model}", "--port", "0", "--state-dir", str(daemon.state)], capture_output=True,
                            text=True, timeout=60, env=job.environment)
    results["two daemons on one state directory: the second refuses"] = second.returncode == 1 and "another daemon keeps its jobs there" in second.stderr


def followers(results, job, daemon):
    id = daemon.submit(job, "followed", **SLOW)
    stream = urllib.request.Request(daemon.url + f"/v1/jobs/{id}/events", headers={"Accept": "text/event-stream"})
    data = [json.loads(line[6:]) for line in urllib.request.urlopen(stream, timeout=120).read().decode().splitlines() if line.startswith("data: {")]
    told = [event for event in data if event["object"] == "job.event"]
    results["the stream has every event once, in order, and ends with the job"] = [e["id"] for e in told] == [e["id"] for e in daemon.events(id)]
    results["and the progress between"] = any(event["object"] == "job" and event["progress"].get("step") for event in data)
    rest = urllib.request.Request(daemon.url + f"/v1/jobs/{id}/events?stream=true", headers={"Last-Event-ID": told[3]["id"]})
    after = [line for line in urllib.request.urlopen(rest, timeout=60).read().decode().splitlines() if line.startswith("id: ")]
    results["a follower that comes back gets the rest"] = after == [f"id: {event['id']}" for event in told[4:]]


def drained(results, job, daemon):
    id = daemon.submit(job, "drained", **SLOW)
    daemon.wait_for_step(id, 3)
    waits = threading.Thread(target=lambda: urllib.request.urlopen(daemon.url + f"/v1/jobs/{id}/events?stream=true", timeout=120).read())
    waits.start()
    began = time.monotonic()
    code = daemon.stop()
    results["SIGTERM: ends soon with followers and a job, which has saved"] = code == 0 and time.monotonic() - began < 10 and not workers(daemon.state)
    waits.join()
    with QueueDaemon(job) as again:
        shown = again.wait(id, "succeeded")
        results["and the next daemon goes on with it"] = shown["attempt"] == 2
        listed = [model["id"] for model in json.loads(again.get("/v1/models"))["data"]]
        results["and serves what earlier jobs trained"] = {"tuned", "tuned-2", "whole", "on_top"} <= set(listed)
    job.run("not_drained", **SLOW)
    results["to the bytes of one that was not stopped"] = job.adapter("drained") == job.adapter("not_drained")


def a_full_disk(results):
    """Files may not grow beyond a size: what SQLite and the workers write fails as it does on a full disk."""
    with Job() as job:
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        with QueueDaemon(job, preexec_fn=limit, stderr=subprocess.DEVNULL) as daemon:
            codes = []
            for i in range(60):
                codes.append(status_of(lambda: daemon.submit(job, f"full{i}", **KEYS))[0])
            alive = daemon.post("/v1/chat/completions", {"model": "tiny", "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]})
            kept = [code for code in codes if code == 200]
            results["a full disk: submissions get 503, chat goes on"] = set(codes) == {200, 503} and bool(alive["choices"])
            daemon.kill()
        with sqlite3.connect(job.folder / "state" / "hearth.sqlite") as database:
            results["a full disk: the database is whole"] = database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with QueueDaemon(job) as daemon:
            listed = json.loads(daemon.get("/v1/jobs?limit=100"))["data"]
            results["a full disk: what was accepted is there, nothing else is"] = len(listed) == len(kept)
            last = listed[0]["id"]
            for entry in listed[1:]:
                status_of(lambda: daemon.post(f"/v1/jobs/{entry['id']}/cancel", {}))
            results["a full disk: with room again, jobs run"] = daemon.wait(last, "succeeded")["status"] == "succeeded"


def a_read_only_state(results):
    """As somebody who may not write there."""
    if os.geteuid() != 0:
        raise SystemExit("this test drops the rights that it needs to have: run it as root")
    with Job() as job:
        os.chmod(job.folder, 0o755)
        state = job.folder / "state"
        state.mkdir(mode=0o555)
        command = ["serve", "--model", f"m={job.model}", "--port", "0", "--state-dir"]
        nobody = lambda path: subprocess.run([required("HEARTH_BINARY"), *command, str(path)], capture_output=True, text=True, timeout=60, env=job.environment,
                                             user=65534, group=65534)
        told = nobody(state)
        results["a state directory that cannot be written: one line, exit code 1"] = told.returncode == 1 and told.stderr.count("\n") == 1 and "cannot be written" in told.stderr
        told = nobody(job.folder / "new")
        results["one that cannot be made: the same"] = told.returncode == 1 and told.stderr.count("\n") == 1 and "cannot be made" in told.stderr
        (state / "hearth.sqlite").write_text("no database " * 100)
        told = subprocess.run([required("HEARTH_BINARY"), *command, str(state)], capture_output=True, text=True, timeout=60, env=job.environment)
        results["a state file that is none: told, and left as it is"] = told.returncode == 1 and "not a database" in told.stderr and (state / "hearth.sqlite").read_text().startswith("no database")


def main():
    results = {}
    with Job() as job:
        with QueueDaemon(job) as daemon:
            for part in (a_job_of_the_queue_is_hearth_train, what_a_job_trained_answers, asked_of_running_jobs, order_and_idempotency, crashes, refusals, followers, drained):
                part(results, job, daemon)
    a_full_disk(results)
    a_read_only_state(results)
    conclude(results)


if __name__ == "__main__":
    sys.exit(main())
