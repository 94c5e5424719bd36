"""Writes tests/golden/reports/: a trainer_state.json of transformers and TensorBoard records of its own protos."""

import json
import pathlib

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from transformers import TrainerState

HERE = pathlib.Path(__file__).parent / "reports"
HERE.mkdir(exist_ok=True)

state = TrainerState(
    epoch=1.5, global_step=30, max_steps=60, logging_steps=10, eval_steps=20, save_steps=30, train_batch_size=2,
    num_train_epochs=3, num_input_tokens_seen=12345, total_flos=1.25e12, best_metric=1.0625, best_global_step=20,
    best_model_checkpoint="saves/a \u00e9/checkpoint-20",
    log_history=[
        {"loss": 2.5, "grad_norm": 0.75, "learning_rate": 1e-05, "epoch": 0.5, "step": 10},
        {"eval_loss": 1.0625, "eval_runtime": 0.125, "epoch": 1.0, "step": 20},
    ],
)
state.save_to_json(HERE / "trainer_state.json")

with open(HERE / "events.bin", "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=1.5, file_version="brain.Event:2").SerializeToString())
    value = Summary.Value(tag="train/loss", simple_value=0.1)
    writer.write(Event(wall_time=1795832869.25, step=300, summary=Summary(value=[value])).SerializeToString())
