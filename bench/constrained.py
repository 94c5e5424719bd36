"""What it costs to hold answers to a format: tokens/s of decoding with a schema, with tools that may be called, and without either, in turn.

  ./dev bench --constrained [--rounds 5] [--at-once 1 8]

The default model, 200 tokens of answer to a short prompt, streams of which the time from the first to the last token counts; the sum over those that run at once. A first
round, in which grammars are compiled and masks are found, is not counted. Prints medians and their ratio to free answers.
"""

import argparse
import concurrent.futures
import json
import statistics
import tempfile
import time
import urllib.request

from daemon import Daemon

TOKENS = 200
# Lists without end, so that no answer ends before its tokens do.
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 30},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "role": {"enum": ["admin", "editor", "reader"]},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]{2,8}$"}, "maxItems": 4},
    },
    "required": ["name", "age", "role", "tags"],
    "additionalProperties": False,
}
SCHEMA = {"type": "array", "items": PERSON, "minItems": 50}
TOOL = {"type": "function", "function": {"name": "add_person", "strict": True, "parameters": PERSON}}
KINDS = {
    "free": {},
    "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "people", "schema": SCHEMA}}},
    "tools, auto": {"tools": [TOOL], "tool_choice": "auto"},
    "tools, required": {"tools": [TOOL], "tool_choice": "required"},
}


def speed(daemon, fields, seed):
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "Invent some people for a test."}],
        "max_tokens": TOKENS,
        "min_tokens": TOKENS,
        "seed": seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        **fields,
    }
    request = urllib.request.Request(daemon.url + "/chat/completions", json.dumps(body).encode())
    times, tokens = [], 0
    with urllib.request.urlopen(request) as stream:
        for line in stream:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if not event["choices"]:
                tokens = event["usage"]["completion_tokens"]
            elif len(event["choices"][0]["delta"]) == 1:
                times.append(time.monotonic())
    return (tokens - 1) / (times[-1] - times[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(options.hearth, options.model, folder)
        try:
            for at_once in options.at_once:
                speeds = {kind: [] for kind in KINDS}
                for number in range(options.rounds + 1):
                    for kind, fields in KINDS.items():
                        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
                            seeds = [number * at_once + i for i in range(at_once)]
                            total = sum(pool.map(lambda seed, fields=fields: speed(daemon, fields, seed), seeds))
                        if number > 0:
                            speeds[kind].append(total)
                free = statistics.median(speeds["free"])
                for kind, values in speeds.items():
                    median = statistics.median(values)
                    print(f"{at_once} at once, {kind}: {median:.0f} tokens/s, {median / free:.3f} of free", flush=True)
        finally:
            daemon.process.terminate()
            daemon.process.wait()


if __name__ == "__main__":
    main()
