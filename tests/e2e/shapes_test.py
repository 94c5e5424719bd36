"""examples/shapes as its files say it: a model that learns to see from random weights, and then from pairs of answers. Slow: minutes.

Answers about pictures that it was not trained on are far above guessing after the first run, and better after the second; the trained model sees through /v1
too, in a picture that the request brings.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

from daemon import Daemon
from training_job import ROOT, binary, conclude

SHAPES = ROOT / "examples" / "shapes"


def run(folder, *command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3000, cwd=folder)
    if done.returncode != 0:
        print(command, done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done


def accuracy(folder, model, directory):
    run(folder, binary(), "eval", SHAPES / "predict.yaml", f"model_name_or_path={model}", f"output_dir={directory}")
    text = run(folder, sys.executable, SHAPES / "accuracy.py", directory).stdout
    print(model, text)
    return float(re.search(r"accuracy ([\d.]+)", text)[1])


def is_right(daemon, row, data):
    picture = base64.b64encode((data / row["images"][0]).read_bytes()).decode()
    text = row["messages"][0]["content"].removeprefix("<image>")
    body = {"model": daemon.model, "max_tokens": 8, "temperature": 0, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture}}, {"type": "text", "text": text}]}]}
    request = urllib.request.Request(daemon.url + "/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=60))
    return answer["choices"][0]["message"]["content"].strip() == row["messages"][1]["content"]


def main():
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        run(folder, sys.executable, SHAPES / "make_shapes.py", "shapes")
        before = accuracy(folder, "shapes/model", "random")
        run(folder, binary(), "train", SHAPES / "sft.yaml")
        seen = accuracy(folder, "shapes/sft", "sft")
        run(folder, binary(), "train", SHAPES / "dpo.yaml")
        preferred = accuracy(folder, "shapes/dpo", "dpo")
        results["random weights guess at best"] = before < 0.35
        results["it sees"] = seen > 0.65
        results["pairs of answers raise it"] = preferred > seen
        data = folder / "shapes" / "data"
        with Daemon(model_path=folder / "shapes" / "dpo", environment={"HEARTH_LOG": "warn"}) as daemon:
            rows = json.loads((data / "test.json").read_text())[:50]
            right = sum(is_right(daemon, row, data) for row in rows)
        print("right over HTTP:", right, "of", len(rows))
        results["it sees over HTTP"] = right > 35
    conclude(results)


if __name__ == "__main__":
    main()
