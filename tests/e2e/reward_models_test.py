"""A reward model on the default model, an adapter with value_head.safetensors beside it: texts have their rewards, alone and in company, served beside the model and by
LLaMA-Factory's YAML; what a reward model cannot do is told."""

import json
import os
import random
import subprocess
import sys
import tempfile
import urllib.error

from daemon import Daemon, required
from small_adapter import HIDDEN, write_adapter, write_safetensors

TEXTS = ["The capital of France is Paris.", "The capital of France is a fish.", "def add(a, b):\n    return a + b\n" * 20]


def scores(daemon, texts, model="judge", **fields):
    reply = daemon.post("/v1/score/evaluation", {"model": model, "messages": texts, **fields})
    assert reply["object"] == "score.evaluation" and reply["id"].startswith("scoreval-") and reply["model"] == model, reply
    return reply["scores"]


def refused(daemon, path, body):
    """The status and the message."""
    try:
        return 200, daemon.post(path, body)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]["message"]


def fails(*arguments):
    """The one line of a command that cannot run."""
    result = subprocess.run([required("HEARTH_BINARY"), *arguments], input="", capture_output=True, text=True, timeout=120)
    return result.stderr if result.returncode in (1, 2) and result.stderr.count("\n") == 1 else f"exit code {result.returncode}: {result.stderr}"


def main():
    results, model = {}, required("HEARTH_DEFAULT_MODEL")
    with tempfile.TemporaryDirectory() as folder:
        judge, tuned, job, broken = (os.path.join(folder, name) for name in ("judge", "tuned", "job.yaml", "broken.yaml"))
        write_adapter(judge)
        write_adapter(tuned)
        numbers = random.Random(2)
        write_safetensors(os.path.join(judge, "value_head.safetensors"), [
            ("v_head.summary.bias", [1], [0.25]), ("v_head.summary.weight", [1, HIDDEN], [numbers.gauss(0, 0.05) for _ in range(HIDDEN)])])
        for path, adapter in ((job, judge), (broken, tuned)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"model_name_or_path: {model}\nadapter_name_or_path: {adapter}\nstage: rm\ntemplate: default\nfinetuning_type: lora\n")
        with Daemon("--adapter", f"judge={judge}") as daemon:
            together = scores(daemon, [*TEXTS, TEXTS[0]])
            results["every text has its own reward"] = len(set(together)) == 3
            results["the same text has the same"] = together[3] == together[0]
            results["alone too"] = [scores(daemon, [text])[0] for text in TEXTS] == together[:3]
            results["max_length cuts at the end"] = scores(daemon, [TEXTS[2]], max_length=12) == scores(daemon, [TEXTS[2][:60]], max_length=12) != together[2:3]
            chat = {"model": "judge", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
            status, message = refused(daemon, "/v1/chat/completions", chat)
            results["it does not chat"] = status == 400 and "/v1/score/evaluation" in message
            results["the model beside it does"] = refused(daemon, "/v1/chat/completions", chat | {"model": "test"})[0] == 200
            status, message = refused(daemon, "/v1/score/evaluation", {"model": "test", "messages": TEXTS})
            results["and gives no rewards"] = status == 400 and "value_head.safetensors" in message
            results["it drains"] = daemon.stop() == 0
        with Daemon(job=job) as daemon:
            results["by a YAML of stage rm the same"] = scores(daemon, TEXTS, "test") == together[:3]
        results["stage rm takes a value head"] = "has no value_head.safetensors" in fails("api", broken)
        results["the terminal chat tells"] = "is a reward model" in fails("chat", job) and "is a reward model" in fails("chat", "--adapter", judge)
    for name, passed in results.items():
        print("ok  " if passed else "FAIL", name)
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
