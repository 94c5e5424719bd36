"""What it costs to hold answers to a format: tokens/s of decoding with a schema or tools, and without, in turn.

  ./dev bench --constrained [--rounds 5] [--at-once 1 8]

The default model, 200 tokens of answer to a short prompt, streamed; time counts from the first token of any stream to the last of all. Free answers go on from the same
prompt. A first round, in which grammars are compiled, is not counted. Prints medians and their ratio.
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
    "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "people", "schema": SCHEMA}}},
    "tools, auto": {"tools": [TOOL], "tool_choice": "auto"},
    "tools, required": {"tools": [TOOL], "tool_choice": "required"},
}
QUESTION = [{"role": "user", "content": "Invent some people for a test."}]


def stream(daemon, path, body):
    """(tokens, time of the first, time of the last)"""
    limits = {"model": "smollm2", "max_tokens": TOKENS, "min_tokens": TOKENS, "stream": True, "stream_options": {"include_usage": True}}
    request = urllib.request.Request(daemon.url + path, json.dumps(limits | body).encode())
    times, tokens = [], 0
    with urllib.request.urlopen(request) as events:
        for line in events:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if not event["choices"]:
                tokens = event["usage"]["completion_tokens"]
            elif event["choices"][0].get("text") or len(event["choices"][0].get("delta", {})) == 1:
                times.append(time.monotonic())
    return tokens, times[0], times[-1]


def speed(daemon, path, body, seeds):
    """Tokens a second of one answer for each seed, all at once, from the first token of any to the last of all."""
    with concurrent.futures.ThreadPoolExecutor(len(seeds)) as pool:
        answers = list(pool.map(lambda seed: stream(daemon, path, body | {"seed": seed}), seeds))
    return sum(tokens for tokens, _, _ in answers) / (max(end for _, _, end in answers) - min(begin for _, begin, _ in answers))


def free_speed(daemon, fields, seeds):
    """The same prompt without any constraint."""
    rendered = daemon.call("/apply-template", {"model": "smollm2", "messages": QUESTION, "tools": fields.get("tools")}, daemon.root)
    return speed(daemon, "/completions", {"prompt": rendered["prompt"]}, seeds)


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
                for kind, fields in KINDS.items():
                    free, held = [], []
                    for number in range(options.rounds + 1):
                        seeds = [number * at_once + i for i in range(at_once)]
                        free.append(free_speed(daemon, fields, seeds))
                        held.append(speed(daemon, "/chat/completions", {"messages": QUESTION, **fields}, seeds))
                    free, held = statistics.median(free[1:]), statistics.median(held[1:])
                    print(f"{at_once} at once, {kind}: {held:.0f} tokens/s, free {free:.0f}, ratio {held / free:.3f}", flush=True)
        finally:
            daemon.process.terminate()
            daemon.process.wait()


if __name__ == "__main__":
    main()
