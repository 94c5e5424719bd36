"""Writes tests/golden/optim/: AdamW steps and gradient norms of torch, learning rates of transformers, epochs' orders.

adamw.bin: float32 in the order the test reads them: for every shape the start value; for every step and shape the
gradient before clipping, then the norm, then the values after the step; at the end both moments of every shape.
"""

import json
import pathlib

import torch
from transformers.optimization import get_scheduler
from transformers.trainer_pt_utils import get_length_grouped_indices

HERE = pathlib.Path(__file__).parent / "optim"
SHAPES = [[3, 5], [17], [33, 2], [1], [64, 9]]
RATES = [1e-2, 1e-2, 4e-2, 1e-2, 5e-4]
DECAYS = [0.1, 0.0, 0.1, 0.0, 0.1]
STEPS, WARMUP, MAX_NORM = 20, 3, 12.0


def adamw():
    torch.manual_seed(3)
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    floats = [p.detach().clone() for p in parameters]
    groups = [{"params": [p], "lr": r, "weight_decay": d} for p, r, d in zip(parameters, RATES, DECAYS)]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.99), eps=1e-6)
    schedule = get_scheduler("linear", optimizer, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    for _ in range(STEPS):
        scale = 10 ** float(torch.empty(()).uniform_(-3, 0.3))
        for p in parameters:
            p.grad = scale * torch.randn(p.shape)
            floats.append(p.grad.clone())
        floats.append(torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM).reshape(1))
        optimizer.step()
        schedule.step()
        floats += [p.detach().clone() for p in parameters]
    for p in parameters:
        floats += [optimizer.state[p]["exp_avg"], optimizer.state[p]["exp_avg_sq"]]
    (HERE / "adamw.bin").write_bytes(torch.cat([f.flatten() for f in floats]).numpy().astype("<f4").tobytes())
    return {"shapes": SHAPES, "rates": RATES, "decays": DECAYS, "steps": STEPS, "warmup": WARMUP, "max_norm": MAX_NORM}


def schedules():
    cases = [
        ("linear", 4, 30, {}),
        ("linear", 0, 7, {}),
        ("cosine", 3, 25, {}),
        ("cosine", 0, 12, {"num_cycles": 1.25}),
        ("cosine_with_restarts", 2, 26, {"num_cycles": 3}),
        ("polynomial", 3, 20, {}),
        ("polynomial", 0, 20, {"lr_end": 1e-5, "power": 2.5}),
        ("constant", 0, 5, {}),
        ("constant_with_warmup", 4, 9, {}),
        ("inverse_sqrt", 5, 20, {}),
        ("inverse_sqrt", 0, 10, {"timescale": 4}),
        ("cosine_with_min_lr", 3, 18, {"min_lr": 2e-5}),
        ("cosine_with_min_lr", 0, 18, {"min_lr_rate": 0.25, "num_cycles": 0.75}),
        ("warmup_stable_decay", 4, 30, {}),
        ("warmup_stable_decay", 3, 30, {"num_decay_steps": 6, "num_stable_steps": 12, "min_lr_ratio": 0.1}),
    ]
    rows = []
    for kind, warmup, total, kwargs in cases:
        filled = dict(kwargs)
        if kind == "warmup_stable_decay":  # LLaMA-Factory's create_custom_scheduler
            stable = (total - warmup) // 3
            filled = {"num_stable_steps": stable, "num_decay_steps": total - warmup - stable} | kwargs
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=2e-4)
        schedule = get_scheduler(kind, optimizer, warmup, total, scheduler_specific_kwargs=filled)
        rates = []
        for _ in range(total + 3):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        rows.append({"type": kind, "warmup": warmup, "total": total, "kwargs": kwargs, "rates": rates})
    return rows


def orders():
    rows = []
    for n, seed in [(1, 42), (2, 42), (9, 42), (100, 7), (650, 2**32 + 3)]:
        rows.append({"n": n, "seed": seed, "order": torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()})
    grouped = []
    for n, batch, seed in [(40, 2, 42), (7, 4, 1), (461, 1, 9)]:
        lengths = [(i * 7) % 13 + 1 for i in range(n)]
        order = get_length_grouped_indices(lengths, batch, generator=torch.Generator().manual_seed(seed))
        grouped.append({"lengths": lengths, "batch": batch, "seed": seed, "order": order})
    return {"permutations": rows, "grouped": grouped}


HERE.mkdir(exist_ok=True)
fixture = {"adamw": adamw(), "schedules": schedules(), "orders": orders()}
(HERE / "cases.json").write_text(json.dumps(fixture, separators=(",", ":")).replace('{"type"', '\n{"type"') + "\n")
