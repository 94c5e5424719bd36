"""Prompt log-probabilities of a real model over HTTP (/v1/completions, echo, logprobs) against tests/golden/NAME/logprobs.json.

    golden_logprobs_test.py NAME VARIABLE_WITH_THE_PATH_OF_THE_MODEL

Ids are the reference's. infer_dtype float32: every number within 2e-3 of transformers in f32. The default mode: mean absolute difference at most 0.02.
"""

import json
import os
import pathlib
import sys

from daemon import Daemon, required


def differences(daemon, cases):
    for case in cases:
        ids = daemon.post("/tokenize", {"content": case["text"], "add_special": True})["tokens"]
        assert ids == case["ids"], f"{case['text'][:40]!r}: {ids}, {case['ids']} expected"
        reply = daemon.post("/v1/completions", {"model": daemon.model, "prompt": case["text"], "max_tokens": 0, "echo": True, "logprobs": 0, "temperature": 0})
        assert reply["usage"]["prompt_tokens"] == len(case["ids"]), f"{case['text'][:40]!r}: {reply['usage']['prompt_tokens']} tokens, {len(case['ids'])} expected"
        measured = reply["choices"][0]["logprobs"]["token_logprobs"]
        assert measured[0] is None and len(measured) == len(case["ids"])
        yield from (abs(a - b) for a, b in zip(measured[1:], case["logprobs"]))


def main():
    name, variable = sys.argv[1:]
    cases = json.loads((pathlib.Path(__file__).parent.parent / f"golden/{name}/logprobs.json").read_text())
    path = required(variable)
    if not os.path.exists(path):
        sys.exit(f"{path} is not there; `./dev help` names the command that fetches it")
    failed = 0
    for dtype, bound, statistic in [("float32", 2e-3, max), ("auto", 0.02, lambda values: sum(values) / len(values))]:
        with Daemon("--infer-dtype", dtype, model_path=path) as daemon:
            values = list(differences(daemon, cases))
        worst = statistic(values)
        print(f"infer_dtype {dtype}: {len(values)} log-probabilities, {'largest' if statistic is max else 'mean'} difference {worst:.2e}, bound {bound:g}")
        failed += not worst <= bound
    print(f"{2 - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
