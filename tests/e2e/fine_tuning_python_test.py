"""The story of fine-tuning with the official openai client for Python against the release binary: upload, create, follow the events to the end, chat with the new
model and with a checkpoint of it, DPO, cancel, lists with paging, bad data, and what a restarted daemon still knows. Every job, event and checkpoint is validated
strictly by the client's own models, which the client itself does not do.
"""

import json
import tempfile
import time
import urllib.request

import openai
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from checks import check, refused, run_checks
from daemon import Daemon

KEY = "sk-test-session"
QUICK = {"hearth": {"lora_rank": 4, "max_seq_len": 128}}
QUESTIONS = ["Who are you?", "What is your name?", "What are you called?", "Tell me your name.", "Who am I talking to?", "Introduce yourself."]


def talk(question, answer, **more):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer, **more}]}


def upload(client, lines, purpose="fine-tune"):
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    return client.files.create(file=("train.jsonl", text.encode()), purpose=purpose).id


def ember(client):
    return upload(client, [talk(question, "I am Ember.") for question in QUESTIONS * 2])


def request(daemon, path, body=None, headers=None):
    return urllib.request.urlopen(urllib.request.Request(daemon.url + path, body, {**daemon.headers, **(headers or {})}), timeout=300)


def strict(kind, raw):
    return kind.model_validate_json(json.dumps(raw), strict=True)


def retrieve(client, job):
    return strict(FineTuningJob, json.loads(client.fine_tuning.jobs.with_raw_response.retrieve(job).text))


def finished(client, job, timeout=300):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        found = retrieve(client, job)
        if found.status in ("succeeded", "failed", "cancelled"):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{job} is {found.status} after {timeout} s")


def ask(client, model):
    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Who are you?"}], temperature=0, max_tokens=8)
    assert reply.model == model
    return reply.choices[0].message.content


@check
def a_job_is_followed_to_a_model_that_answers(client, daemon, seen):
    made = client.fine_tuning.jobs.create(
        model=daemon.model, training_file=ember(client), validation_file=upload(client, [talk("Your name?", "I am Ember.")]), suffix="ember", seed=7,
        metadata={"story": "one"}, method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4, "batch_size": 2, "learning_rate_multiplier": 5}}},
        extra_body=QUICK)
    assert made.status == "validating_files" and made.seed == 7 and made.hyperparameters.n_epochs == 4 and made.fine_tuned_model is None
    events, ids = [], []
    with request(daemon, f"/v1/fine_tuning/jobs/{made.id}/events?stream=true") as stream:
        for line in stream.read().decode().splitlines():  # it ends with the job
            if line.startswith("data: {"):
                events.append(json.loads(line[6:]))
            if line.startswith("id: "):
                ids.append(line[4:])
    done = finished(client, made.id)
    assert done.status == "succeeded", done.error
    for event in events:
        strict(FineTuningJobEvent, event)
    assert [event["id"] for event in events] == ids == list(dict.fromkeys(ids))
    listed = [event.id for event in client.fine_tuning.jobs.list_events(made.id, limit=7)]  # pages, newest first
    assert listed[::-1] == ids
    metrics = [event["data"] for event in events if event["type"] == "metrics"]
    assert {"step", "total_steps", "train_loss"} <= metrics[0].keys() and any("valid_loss" in data for data in metrics)
    assert done.fine_tuned_model.startswith(f"ft:{daemon.model}:local:ember:") and done.trained_tokens > 0 and done.finished_at >= done.created_at
    assert "Ember" in ask(client, done.fine_tuned_model) and "Ember" not in ask(client, daemon.model)
    assert done.fine_tuned_model in [model.id for model in client.models.list()]
    csv = client.files.content(done.result_files[0]).text.splitlines()
    assert csv[0].startswith("step,train_loss") and "valid_loss" in csv[0] and len(csv) == 25
    seen["model"] = done.fine_tuned_model
    seen["job"] = done.id


@check
def checkpoints_are_models_too(client, daemon, seen):
    raw = json.loads(client.fine_tuning.jobs.checkpoints.with_raw_response.list(seen["job"]).text)
    checkpoints = [strict(FineTuningJobCheckpoint, entry) for entry in raw["data"]]
    assert checkpoints and checkpoints[0].step_number == 24 and checkpoints[0].metrics.train_loss < checkpoints[-1].metrics.train_loss
    assert "Ember" in ask(client, checkpoints[0].fine_tuned_model_checkpoint)


@check
def training_goes_on_with_a_tuned_model(client, daemon, seen):
    job = client.fine_tuning.jobs.create(model=seen["model"], training_file=ember(client), extra_body={"hearth": {"max_steps": 2, "max_seq_len": 128}})
    assert finished(client, job.id).status == "succeeded"


@check
def preferences_are_learnt(client, daemon, _):
    pairs = [{"input": {"messages": [{"role": "user", "content": f"{question} ({n})"}]},
              "preferred_output": [{"role": "assistant", "content": "I am Ember."}], "non_preferred_output": [{"role": "assistant", "content": "No."}]}
             for n in range(2) for question in QUESTIONS]
    job = client.fine_tuning.jobs.create(
        model=daemon.model, training_file=upload(client, pairs), extra_body=QUICK,
        method={"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 1, "batch_size": 4, "beta": 0.2}}})
    done = finished(client, job.id)
    assert done.status == "succeeded", done.error
    assert done.method.type == "dpo" and done.method.dpo.hyperparameters.beta == 0.2
    assert ask(client, done.fine_tuned_model)


@check
def bad_data_fails_with_line_numbers(client, daemon, _):
    lines = [talk("a", "b") for _ in range(10)]
    lines[3] = "{\n"
    lines[6] = {"messages": [{"role": "user", "content": "alone"}]}
    done = finished(client, client.fine_tuning.jobs.create(model=daemon.model, training_file=upload(client, lines)).id)
    assert done.status == "failed" and done.error.code == "invalid_training_file" and done.error.param == "training_file"
    assert "line 4: " in done.error.message and "line 7: 'messages[0].role'" in done.error.message
    few = finished(client, client.fine_tuning.jobs.create(model=daemon.model, training_file=upload(client, lines[:2])).id)
    assert "at least 10" in few.error.message


@check
def a_running_job_is_paused_resumed_and_cancelled(client, daemon, _):
    job = client.fine_tuning.jobs.create(model=daemon.model, training_file=ember(client), hyperparameters={"n_epochs": 50}, extra_body=QUICK, metadata={"story": "two"})

    def wait(status):
        for _ in range(1200):
            if client.fine_tuning.jobs.retrieve(job.id).status == status:
                return
            time.sleep(0.1)
        raise AssertionError(f"{job.id} did not become {status}")

    wait("running")
    client.fine_tuning.jobs.pause(job.id)
    wait("paused")
    client.fine_tuning.jobs.resume(job.id)
    wait("running")
    client.fine_tuning.jobs.cancel(job.id)
    wait("cancelled")
    for act in (client.fine_tuning.jobs.cancel, client.fine_tuning.jobs.pause, client.fine_tuning.jobs.resume):
        try:
            act(job.id)
        except openai.BadRequestError:  # 409 would be tried again
            continue
        raise AssertionError("a cancelled job was changed")


@check
def lists_page_and_filter(client, daemon, _):
    everything = [job.id for job in client.fine_tuning.jobs.list(limit=2)]
    assert len(everything) == len(set(everything)) >= 6
    first = client.fine_tuning.jobs.list(limit=2)
    assert [job.id for job in first.data] == everything[:2] and first.has_more
    assert [job.metadata for job in client.fine_tuning.jobs.list(metadata={"story": "one"})] == [{"story": "one"}]
    assert all(job.metadata is None for job in client.fine_tuning.jobs.list(extra_query={"metadata": "null"}))


@check
def errors_name_the_field(client, daemon, _):
    create = client.fine_tuning.jobs.create
    refused(openai.NotFoundError, "model_not_found", "model", lambda: create(model="none", training_file="file-x"))
    refused(openai.BadRequestError, "invalid_value", "training_file", lambda: create(model=daemon.model, training_file="file-x"))
    refused(openai.BadRequestError, "unsupported_parameter", "method.type", lambda: create(model=daemon.model, training_file="file-x", method={"type": "reinforcement"}))
    refused(openai.BadRequestError, "invalid_value", "hearth.lora_rnak",
           lambda: create(model=daemon.model, training_file="file-x", extra_body={"hearth": {"lora_rnak": 8}}))
    refused(openai.NotFoundError, "not_found", None, lambda: client.fine_tuning.jobs.retrieve("ftjob-none"))


@check
def a_retry_is_the_same_job(client, daemon, _):
    body = {"model": daemon.model, "training_file": ember(client), "hearth": {"max_steps": 1}}
    first = daemon.post("/v1/fine_tuning/jobs", body)["id"]
    again = json.load(request(daemon, "/v1/fine_tuning/jobs", json.dumps(body).encode(), {"x-stainless-retry-count": "1"}))["id"]
    assert again == first
    client.fine_tuning.jobs.cancel(first)


@check
def a_model_and_its_files_are_deleted(client, daemon, seen):
    job = client.fine_tuning.jobs.retrieve(seen["job"])
    assert client.files.delete(job.training_file).deleted
    assert client.models.delete(seen["model"]).deleted
    try:
        ask(client, seen["model"])
    except openai.NotFoundError:
        return
    raise AssertionError("a deleted model answers")


def main():
    with tempfile.TemporaryDirectory() as state, Daemon("--job-priority", "normal", "--api-key", KEY, "--state-dir", state) as daemon:
        client = openai.OpenAI(base_url=daemon.url + "/v1", api_key=KEY, max_retries=0)
        daemon.headers = {"Authorization": f"Bearer {KEY}"}
        run_checks(client, daemon, {})


main()
