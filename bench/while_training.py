"""What a training job costs those who chat: time to first token and tokens/s of a daemon at its default settings, alone and while it trains a LoRA adapter, in turn.

  ./dev bench --while-training [--rounds 3] [--requests 8] [--priority idle|normal]

The default model, one request at a time: a prompt of about 250 tokens that no cache has seen, 64 tokens of answer. The job: LoRA r 8 on all linear maps, bf16, 4 examples
of 512 tokens a step, paused and resumed between the measurements of a round. Prints medians, the ratio of the two, and what the job made meanwhile.
"""

import argparse
import json
import pathlib
import random
import signal
import statistics
import tempfile
import time
import urllib.request

from daemon import Daemon

WORDS = "river stone light garden letter winter music table window story market engine forest answer morning paper bridge silver number corner".split()
YAML = """\
model_name_or_path: {model}
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
dataset: long
dataset_dir: {folder}
cutoff_len: 512
output_dir: {folder}/out
save_steps: 100000
logging_steps: 10
per_device_train_batch_size: 4
learning_rate: 1.0e-5
max_steps: 100000
bf16: true
"""


def ask(daemon, dice):
    """(seconds to the first token, tokens a second after it)"""
    text = " ".join(dice.choice(WORDS) for _ in range(220))
    body = {"model": "smollm2", "messages": [{"role": "user", "content": f"Tell a story with these words: {text}"}], "max_tokens": 64, "ignore_eos": True, "stream": True}
    request = urllib.request.Request(daemon.url + "/chat/completions", json.dumps(body).encode())
    begin, times = time.monotonic(), []
    with urllib.request.urlopen(request) as stream:
        for line in stream:
            if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                times.append(time.monotonic())
    return times[0] - begin, (len(times) - 1) / (times[-1] - times[0])


def measure(daemon, dice, requests):
    answers = []
    for _ in range(requests):
        answers.append(ask(daemon, dice))
        time.sleep(dice.uniform(0, 0.5))  # people read; the job goes on meanwhile
    return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=8)
    parser.add_argument("--priority", choices=["idle", "normal"], default="idle")
    options = parser.parse_args()
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rows = [{"instruction": "Go on.", "input": "", "output": " ".join(dice.choice(WORDS) for _ in range(700))} for _ in range(64)]
        (folder / "long.json").write_text(json.dumps(rows))
        (folder / "dataset_info.json").write_text(json.dumps({"long": {"file_name": "long.json"}}))
        daemon = Daemon(options.hearth, options.model, folder, "--job-priority", options.priority)
        try:
            job = daemon.call("/jobs", {"spec": YAML.format(model=options.model, folder=folder)})["id"]
            daemon.wait(job, lambda j: j["progress"].get("step", 0) > 0)
            quiet, training, steps = [], [], 0
            for _ in range(options.rounds):
                before = daemon.call("/jobs/" + job)["progress"]["step"]
                training += measure(daemon, dice, options.requests)
                steps += daemon.call("/jobs/" + job)["progress"]["step"] - before
                daemon.call(f"/jobs/{job}/pause", {})
                daemon.wait(job, lambda j: j["status"] == "paused")
                quiet += measure(daemon, dice, options.requests)
                daemon.call(f"/jobs/{job}/resume", {})
                daemon.wait(job, lambda j: j["status"] == "running" and j["progress"]["phase"] == "training")
            daemon.call(f"/jobs/{job}/cancel", {})
        finally:
            daemon.process.send_signal(signal.SIGTERM)
            daemon.process.wait()
    first = [statistics.median(answer[0] for answer in answers) for answers in (quiet, training)]
    rate = [statistics.median(answer[1] for answer in answers) for answers in (quiet, training)]
    worst = [max(answer[0] for answer in answers) for answers in (quiet, training)]
    print(f"time to first token: quiet {first[0] * 1e3:.0f} ms (longest {worst[0] * 1e3:.0f}), while training {first[1] * 1e3:.0f} ms (longest {worst[1] * 1e3:.0f}): {first[1] / first[0]:.2f} times")
    print(f"tokens/s:            quiet {rate[0]:.0f}, while training {rate[1]:.0f}: {rate[0] / rate[1]:.2f} times slower")
    print(f"the job made {steps} steps of 2048 tokens meanwhile")


if __name__ == "__main__":
    main()
