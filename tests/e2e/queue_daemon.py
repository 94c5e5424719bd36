"""A daemon with a queue: a state directory that outlives it, a tiny model, and jobs for it."""

import json
import os
import pathlib
import subprocess
import time
import urllib.error

from daemon import Daemon, required


class QueueDaemon(Daemon):
    """`job`: a training_job.Job, whose folder holds the state; the daemon is killed and started again with the same one."""

    model = "tiny"

    def __init__(self, job, *options, **popen):
        self.folder = job.folder
        super().__init__("--state-dir", str(job.folder / "state"), "--job-priority", "normal", *options, model_path=job.model, environment=job.environment, **popen)
        self.state = job.folder / "state"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._state.cleanup()

    def submit(self, job, out, priority=0, headers=None, **keys):
        overrides = [f"{key}={value}" for key, value in {"output_dir": job.out(out), **keys}.items()]
        body = {"spec": (job.folder / "job.yaml").read_text(), "name": "job.yaml", "overrides": overrides, "directory": str(job.folder), "priority": priority}
        self.headers = headers or {}
        return self.post("/v1/jobs", body)["id"]

    def show(self, id):
        return json.loads(self.get(f"/v1/jobs/{id}"))

    def events(self, id):
        """All, oldest first, through pages."""
        events, after = [], ""
        while True:
            page = json.loads(self.get(f"/v1/jobs/{id}/events?limit=100{after}"))
            events += page["data"]
            if not page["has_more"]:
                return events[::-1]
            after = f"&after={page['last_id']}"

    def wait(self, id, *states, seconds=120):
        deadline = time.monotonic() + seconds
        while (job := self.show(id))["status"] not in states:
            if time.monotonic() > deadline or job["status"] in ("succeeded", "failed", "cancelled"):
                raise SystemExit(f"job {id} does not become {states}: {json.dumps(job, indent=1)}\n{self.events(id)[-3:]}")
            time.sleep(0.02)
        return job

    def wait_for_step(self, id, step, seconds=120):
        deadline = time.monotonic() + seconds
        while self.show(id)["progress"].get("step", 0) < step:
            if time.monotonic() > deadline:
                raise SystemExit(f"job {id} does not get to step {step}: {self.show(id)}")
            time.sleep(0.01)


def workers(state):
    """PIDs of the workers of that state directory."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0") if process.name.isdigit() else []
        except OSError:
            continue
        if b"worker" in arguments and any(a.startswith(os.fsencode(str(state))) for a in arguments):
            found.append(int(process.name))
    return found


def the_worker(state):
    """The PID of the one that runs."""
    deadline = time.monotonic() + 20
    while not (found := workers(state)):
        if time.monotonic() > deadline:
            raise SystemExit("no worker runs")
        time.sleep(0.01)
    return found[0]


def status_of(call):
    """(status, error object) of a request that is refused."""
    try:
        call()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]
    return 200, {}


def hearth(job, daemon, *arguments, timeout=120):
    return subprocess.run([required("HEARTH_BINARY"), *arguments], capture_output=True, text=True, timeout=timeout, cwd=job.folder,
                          env=dict(job.environment, HEARTH_URL=daemon.url))
