"""The queue over a real Slurm: jobs do what they are asked, are followed by whichever daemon is there, and run once, whatever is killed or does not answer."""

import json
import os
import signal
import sys
import time

from mpi_test import near
from queue_daemon import QueueDaemon, workers
from slurm_cluster import CPUS, Slurm, is_installed
from training_job import Job, conclude, losses

KEYS = {"max_steps": 12, "save_steps": 3, "logging_steps": 1}
LONG = {"max_steps": 100_000, "save_steps": 50_000, "logging_steps": 1000}
SLURM = ("--executor", "slurm")


def slurm_name(id, attempt=1):
    return f"hearth-{id}-{attempt}"


def stop_with_steps(daemon, id, action):
    """Asks it of a job that trains, without waiting. -> when"""
    daemon.wait_for_step(id, 3)
    daemon.post(f"/v1/jobs/{id}/{action}", {})
    return time.monotonic()


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def told(daemon, id):
    return [event["message"] for event in daemon.events(id)]


def submitted_and_followed(results, job, slurm, daemon):
    job.run("alone", **KEYS)
    id = daemon.submit(job, "queued", **KEYS)
    shown = daemon.wait(id, "succeeded")
    results["a job of Slurm trains what hearth train does, to the byte"] = job.adapter("alone") == job.adapter("queued") and shown["attempt"] == 1
    results["its events say where it ran"] = any("runs as Slurm job" in text for text in told(daemon, id))
    results["and have every step's loss"] = [e["data"]["step"] for e in daemon.events(id) if e["type"] == "metrics" and "loss" in e["data"]] == list(range(1, 13))


def asked_of_a_running_job(results, job, slurm, daemon):
    id = daemon.submit(job, "asked", **LONG)
    asked = stop_with_steps(daemon, id, "pause")
    step = daemon.wait(id, "paused")["progress"]["step"]
    saved = [int(name.split("-")[1]) for name in os.listdir(job.out("asked")) if name.startswith("checkpoint-")]
    results["pause: with a checkpoint, soon"] = saved and max(saved) >= step and time.monotonic() - asked < 20
    results["pause: Slurm's job has ended"] = slurm.jobs()[slurm_name(id)] == "COMPLETED" or slurm.jobs()[slurm_name(id)] == "FAILED"
    daemon.post(f"/v1/jobs/{id}/resume", {})
    daemon.wait_for_step(id, max(saved) + 1)
    results["resume: another attempt, from the checkpoint"] = daemon.show(id)["attempt"] == 2
    daemon.post(f"/v1/jobs/{id}/cancel", {})
    results["cancel: ends it"] = until(lambda: daemon.show(id)["status"] == "cancelled") and not workers(daemon.state)


def taken_away_by_slurm(results, job, slurm, daemon):
    """As a preemption, a time limit and an administrator do."""
    id = daemon.submit(job, "taken", **LONG)
    daemon.wait_for_step(id, 3)
    slurm.run("scancel", f"--name={slurm_name(id)}")
    daemon.wait(id, "queued", "running")
    again = until(lambda: daemon.show(id)["attempt"] == 2 and any("are done" in text for text in told(daemon, id)))
    results["scancel of a running job: it saves, and goes on from there"] = again
    daemon.post(f"/v1/jobs/{id}/cancel", {})
    until(lambda: daemon.show(id)["status"] == "cancelled")


def waiting_for_a_machine(results, job, slurm, daemon):
    script = slurm.root / "sleep.sh"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    slurm.run("sbatch", "--job-name=other", "--output=/dev/null", f"--ntasks={CPUS}", str(script))
    slurm.wait_for("other", "RUNNING")
    id = daemon.submit(job, "pending", **KEYS)
    slurm.wait_for(slurm_name(id), "PENDING")
    gone = daemon.submit(job, "gone", **KEYS)
    slurm.wait_for(slurm_name(gone), "PENDING")
    daemon.post(f"/v1/jobs/{gone}/cancel", {})
    results["cancel of a pending job: Slurm's is cancelled, and nothing began"] = (until(lambda: daemon.show(gone)["status"] == "cancelled")
                                                                                and slurm.jobs()[slurm_name(gone)] == "CANCELLED" and not job.out("gone").exists())
    slurm.run("scancel", "--name=other")
    results["a job that waited runs when there is room"] = daemon.wait(id, "succeeded")["attempt"] == 1


def daemons_come_and_go(results, job, slurm):
    with QueueDaemon(job, *SLURM) as daemon:
        id = daemon.submit(job, "adopted", **LONG)
        daemon.wait_for_step(id, 3)
        began = workers(daemon.state)
        soon = daemon.submit(job, "soon", **KEYS)
        daemon.kill()
    results["kill -9 of the daemon leaves the worker alone"] = workers(daemon.state) and set(began) <= set(workers(daemon.state))
    with QueueDaemon(job, *SLURM) as daemon:
        step = daemon.show(id)["progress"]["step"]
        daemon.wait_for_step(id, step + 1)
        results["the next daemon follows it: the same attempt, the same process"] = daemon.show(id)["attempt"] == 1 and set(began) <= set(workers(daemon.state))
        results["and a job that was just submitted ran, once to the end"] = daemon.wait(soon, "succeeded")["status"] == "succeeded" and len(
            [text for text in told(daemon, soon) if "runs as Slurm job" in text]) == 1
        stop_with_steps(daemon, id, "cancel")
        until(lambda: daemon.show(id)["status"] == "cancelled")
        away = daemon.submit(job, "away", **dict(KEYS, max_steps=4000, save_steps=2000, logging_steps=400))
        daemon.wait_for_step(away, 3)
        began = time.monotonic()
        code = daemon.stop()
        results["SIGTERM: the daemon ends at once, the job runs on"] = code == 0 and time.monotonic() - began < 10 and slurm.jobs()[slurm_name(away)] == "RUNNING"
    slurm.wait_for(slurm_name(away), "COMPLETED", seconds=120)
    with QueueDaemon(job) as daemon:  # executor: local
        shown = daemon.wait(away, "succeeded")
        results["what finished while no daemon was there is taken in once, also with executor local"] = shown["attempt"] == 1 and told(daemon, away).count("succeeded") == 1


def two_tasks(results, job, slurm):
    job.run("one", gradient_accumulation_steps=2, **KEYS)
    with QueueDaemon(job, *SLURM, "--slurm-tasks", "2") as daemon:
        id = daemon.submit(job, "two", **KEYS)
        daemon.wait(id, "succeeded")
        one, two = losses(job.out("one")), losses(job.out("two"))
        results["two tasks train what one process does with twice the accumulation"] = len(one) == len(two) == 12 and all(map(near, one, two))
        results["one of them tells"] = [e["data"]["step"] for e in daemon.events(id) if e["type"] == "metrics" and "loss" in e["data"]] == list(range(1, 13))
        id = daemon.submit(job, "two_long", **LONG)
        stop_with_steps(daemon, id, "pause")
        step = daemon.wait(id, "paused")["progress"]["step"]
        saved = [int(name.split("-")[1]) for name in os.listdir(job.out("two_long")) if name.startswith("checkpoint-")]
        results["two tasks: pause saves"] = saved and max(saved) >= step and not workers(daemon.state)
        daemon.post(f"/v1/jobs/{id}/resume", {})
        daemon.wait_for_step(id, max(saved) + 1)
        slurm.run("scancel", f"--name={slurm_name(id, 2)}")
        until(lambda: daemon.show(id)["attempt"] == 3)
        daemon.wait_for_step(id, max(saved) + 2)
        results["two tasks: scancel from outside, and the job goes on"] = daemon.show(id)["attempt"] == 3
        daemon.post(f"/v1/jobs/{id}/cancel", {})
        results["two tasks: cancel ends all of them"] = until(lambda: daemon.show(id)["status"] == "cancelled") and not workers(daemon.state)


def slurm_does_not_answer(results, job, slurm):
    with QueueDaemon(job, *SLURM) as daemon:
        id = daemon.submit(job, "unasked", **dict(KEYS, max_steps=1000, save_steps=500, logging_steps=100))
        daemon.wait_for_step(id, 3)
        slurm.end_controller()
        finished = until(lambda: any(text.startswith("saved ") and "1000" in text for text in told(daemon, id)), 120)
        time.sleep(4)  # longer than the daemon leaves between two questions
        results["slurmctld is down: the job trains on, is followed, and has not ended"] = finished and daemon.show(id)["status"] == "running"
        slurm.start_controller()
        results["slurmctld is back: it has succeeded, at the first attempt"] = daemon.wait(id, "succeeded")["attempt"] == 1
        slurm.signal_controller(signal.SIGSTOP)
        id = daemon.submit(job, "hung", **KEYS)
        time.sleep(4)
        began = time.monotonic()
        shown = daemon.show(id)
        results["slurmctld hangs: the daemon does not"] = time.monotonic() - began < 2 and shown["status"] == "running"
        slurm.signal_controller(signal.SIGCONT)
        results["slurmctld goes on: so does the job, which ran once"] = daemon.wait(id, "succeeded")["attempt"] == 1 and slurm.jobs()[slurm_name(id)] == "COMPLETED"


def main():
    if not is_installed():
        print("SKIPPED: Slurm is not installed (apt-get install --no-install-recommends slurmctld slurmd slurm-client munge)")
        return 0
    results = {}
    with Slurm() as slurm, Job() as job:
        job.environment.update(SLURM_CONF=slurm.environment["SLURM_CONF"], OMP_NUM_THREADS="1")  # as many as Slurm gives a job: bits depend on it
        with QueueDaemon(job, *SLURM) as daemon:
            for part in (submitted_and_followed, asked_of_a_running_job, taken_away_by_slurm, waiting_for_a_machine):
                began = time.monotonic()
                part(results, job, slurm, daemon)
                print(f"{part.__name__}: {time.monotonic() - began:.1f} s")
        for part in (daemons_come_and_go, two_tasks, slurm_does_not_answer):
            began = time.monotonic()
            part(results, job, slurm)
            print(f"{part.__name__}: {time.monotonic() - began:.1f} s")
    conclude(results)


if __name__ == "__main__":
    sys.exit(main())
