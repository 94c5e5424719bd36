"""An adapter in peft's format on the default model: served beside it, in the terminal chat and by LLaMA-Factory's YAML it gives the same answer, another than the model's; one
that does not fit is refused."""

import json
import os
import subprocess
import sys
import tempfile

from daemon import Daemon, required
from small_adapter import HIDDEN, write_adapter

QUESTION = "Name three colours."


def chat(*arguments):
    command = [required("HEARTH_BINARY"), "chat", *arguments, "--set", "temperature=0", "--set", "max_tokens=24"]
    return subprocess.run(command, input=QUESTION + "\n", capture_output=True, text=True, timeout=120)


def served(daemon, model):
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 24}
    return daemon.post("/v1/chat/completions", body)["choices"][0]["message"]["content"].strip()


def main():
    results, model = {}, required("HEARTH_DEFAULT_MODEL")
    with tempfile.TemporaryDirectory() as folder:
        good, bad, job = (os.path.join(folder, name) for name in ("good", "bad", "job.yaml"))
        write_adapter(good)
        write_adapter(bad, hidden=HIDDEN // 2)
        with open(job, "w", encoding="utf-8") as file:
            file.write(f"model_name_or_path: {model}\nadapter_name_or_path: {good}\n")
        with Daemon("--adapter", f"tuned={good}") as daemon:
            base, tuned = served(daemon, "test"), served(daemon, "tuned")
            results["the adapter has its own answer"] = base != tuned and tuned != ""
            results["both its ids answer"] = served(daemon, "test:tuned") == tuned
            results["the model's answer stays"] = served(daemon, "test") == base
            ids = [entry["id"] for entry in json.loads(daemon.get("/v1/models"))["data"]]
            results["it is listed"] = ids == ["test", "tuned"]
            results["it drains"] = daemon.stop() == 0
        results["chat says the same"] = chat("--model", model, "--adapter", good).stdout.strip() == tuned
        results["chat by a YAML says the same"] = chat(job).stdout.strip() == tuned
        results["chat without it says what the model says"] = chat("--model", model).stdout.strip() == base
        refused = chat("--model", model, "--adapter", bad)
        results["one that does not fit is refused"] = refused.returncode == 1 and "adapter does not fit the model" in refused.stderr and refused.stderr.count("\n") == 1
    for name, passed in results.items():
        print("ok  " if passed else "FAIL", name)
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
