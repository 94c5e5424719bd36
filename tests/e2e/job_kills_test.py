"""kill -9 of daemon and workers at random moments, while jobs run and people chat: nothing is lost, nothing is trained twice, nothing is left over."""

import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time

from queue_daemon import QueueDaemon, workers
from training_job import Job, conclude, lines, unfinished

KILLS = 30
KEYS = {"gradient_accumulation_steps": 8, "max_steps": 240, "save_steps": 4, "save_total_limit": 2, "logging_steps": 8}


class Chats:
    """Somebody who always has a question; what a killed daemon cut off is asked again."""

    def __init__(self):
        self.answered, self.daemon, self.ends = 0, None, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ends:
            try:
                self.daemon.post("/v1/chat/completions", {"model": "tiny", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]})
                self.answered += 1
            except (OSError, AttributeError):
                pass
            time.sleep(0.05)

    def stop(self):
        self.ends = True
        self.thread.join()


def gone(state, pids, seconds):
    """Whether those workers end within a time."""
    deadline = time.monotonic() + seconds
    while set(pids) & set(workers(state)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def torture(results, job, chats, dice):
    job.run("whole", **KEYS)
    chats.daemon = daemon = QueueDaemon(job, "--max-jobs", "2")
    ids, kills, no_orphan = [], {"daemon": 0, "worker": 0}, True
    while sum(kills.values()) < KILLS:
        while sum(daemon.show(id)["status"] in ("queued", "running") for id in ids) < 3:
            ids.append(daemon.submit(job, f"run{len(ids)}", **KEYS))
        time.sleep(dice.uniform(0.05, 1.2))
        running = workers(daemon.state)
        if dice.random() < 0.5 and running:
            os.kill(dice.choice(running), signal.SIGKILL)
            kills["worker"] += 1
        else:
            daemon.kill()
            kills["daemon"] += 1
            no_orphan = gone(daemon.state, running, 10) and no_orphan
            daemon = chats.daemon = QueueDaemon(job, "--max-jobs", "2")
    for id in ids:
        daemon.wait(id, "succeeded", seconds=240)
    print(f"{kills['daemon']} kills of the daemon and {kills['worker']} of workers over {len(ids)} jobs, {sum(daemon.show(id)['attempt'] for id in ids)} attempts, "
          f"{chats.answered} answers meanwhile")
    listed = json.loads(daemon.get("/v1/jobs?limit=100"))["data"]
    results["no job is lost, none is there twice"] = sorted(entry["id"] for entry in listed) == sorted(ids)
    results["workers end with their daemon"] = no_orphan
    results["each job succeeded once"] = all([event["message"] for event in daemon.events(id)].count("succeeded") == 1 for id in ids)
    runs = [job.out(f"run{i}") for i in range(len(ids))]
    results["each ends with the bytes of one that was never killed"] = all(job.adapter(run.name) == job.adapter("whole") for run in runs)
    steps = [line["current_steps"] for line in lines(job.out("whole") / "trainer_log.jsonl")]
    results["no step is logged twice"] = all([line["current_steps"] for line in lines(run / "trainer_log.jsonl")] == steps for run in runs)
    results["nothing half-written is left"] = all(not unfinished(run) for run in runs)
    served = [daemon.show(id)["result"]["served_as"] for id in ids]
    ask = lambda model: daemon.post("/v1/chat/completions", {"model": model, "max_tokens": 8, "temperature": 0, "messages": [{"role": "user", "content": "What is 3?"}]})
    answers = {ask(model)["choices"][0]["message"]["content"] for model in served}
    results["the adapters answer, all the same"] = len(answers) == 1 and answers != {ask("tiny")["choices"][0]["message"]["content"]}
    results["people were answered meanwhile"] = chats.answered > KILLS
    code = daemon.stop()
    results["the last daemon ends in order, and no worker is left"] = code == 0 and workers(daemon.state) == []
    with sqlite3.connect(daemon.state / "hearth.sqlite") as database:
        results["the database is whole"] = database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def main():
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"SEED={seed}")
    results = {}
    with Job() as job:
        chats = Chats()
        try:
            torture(results, job, chats, random.Random(seed))
        finally:
            chats.stop()
            for process in (chats.daemon.process.pid, *workers(chats.daemon.state)):
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass
    conclude(results)


if __name__ == "__main__":
    sys.exit(main())
