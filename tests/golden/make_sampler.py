"""Writes tests/golden/sampler/cases.json: what transformers' logits processors make of small rows of logits.

Pinned: transformers 5.24.0, torch 2.15.0. The processors stand in the order of GenerationMixin._get_logits_processor: repetition penalty, temperature,
top_k, top_p, min_p, typical_p. Each case: logits, token ids seen before, parameters, and [id, probability] of every token that can still be drawn. No kept
token is rarer than LEAST, so that the reader can tell a missing one by drawing.
"""

import json
import pathlib

import torch
from transformers.generation import logits_process as processors

VOCAB = 24
LEAST = 0.0005

CASES = [
    {},
    {"temperature": 0.5},
    {"temperature": 1.7},
    {"top_k": 5},
    {"top_k": 1},
    {"top_p": 0.9},
    {"top_p": 0.5, "temperature": 1.3},
    {"top_p": 0.05},
    {"min_p": 0.1},
    {"min_p": 0.3, "temperature": 2.0},
    {"typical_p": 0.9},
    {"typical_p": 0.2},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7, "temperature": 0.8},
    {"top_k": 12, "top_p": 0.8},
    {"top_k": 20, "min_p": 0.08, "temperature": 1.5},
    {"top_p": 0.95, "typical_p": 0.6},
    {"repetition_penalty": 1.2, "temperature": 0.9, "top_k": 15, "top_p": 0.92, "min_p": 0.02, "typical_p": 0.85},
    {"top_k": 4, "ties": True},
]


def chain(case):
    if case.get("repetition_penalty", 1) != 1:
        yield processors.RepetitionPenaltyLogitsProcessor(case["repetition_penalty"])
    if case.get("temperature", 1) != 1:
        yield processors.TemperatureLogitsWarper(float(case["temperature"]))
    if "top_k" in case:
        yield processors.TopKLogitsWarper(case["top_k"])
    if "top_p" in case:
        yield processors.TopPLogitsWarper(case["top_p"])
    if "min_p" in case:
        yield processors.MinPLogitsWarper(case["min_p"])
    if "typical_p" in case:
        yield processors.TypicalLogitsWarper(case["typical_p"])


def make(case, generator):
    while True:
        logits = (torch.randn(VOCAB, generator=generator)).round(decimals=3)
        if case.get("ties"):
            logits = logits.round()
        seen = torch.randint(VOCAB, (12,), generator=generator)
        scores = logits[None].clone()
        for processor in chain(case):
            scores = processor(seen[None], scores)
        probabilities = scores.double().softmax(-1)[0]
        kept = [[i, float(p)] for i, p in enumerate(probabilities) if p > 0]
        if min(p for _, p in kept) >= LEAST:
            parameters = {key: value for key, value in case.items() if key != "ties"}
            return {"parameters": parameters, "logits": [round(float(x), 3) for x in logits], "seen": seen.tolist(), "kept": [[i, round(p, 6)] for i, p in kept]}


def main():
    generator = torch.Generator().manual_seed(7)
    path = pathlib.Path(__file__).parent / "sampler" / "cases.json"
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(make(case, generator)) for case in CASES)
    path.write_text(f"[\n{lines}\n]\n")


main()
