import assert from "node:assert/strict";
import { test } from "node:test";
import { bundled } from "./bundled.mjs";

const { groupsOf, namesIn, overlay, seriesOf, smoothed, spanOf, withEvents } = await bundled("train/series.ts");
const { differences } = await bundled("train/differences.ts");

const metrics = (data) => ({ id: `e${data.step}`, type: "metrics", data });
const NONE = new Map();

test("events become rows by step; a step that is computed again replaces itself", () => {
  let rows = withEvents(NONE, [metrics({ step: 1, loss: 3 }), metrics({ step: 2, loss: 2 })]);
  rows = withEvents(rows, [metrics({ step: 2, eval_loss: 2.5 }), { type: "message", data: {} }]);
  rows = withEvents(rows, [metrics({ step: 1, loss: 2.9 }), metrics({ step: 3, loss: 1 })]);
  assert.deepEqual([...rows.keys()], [1, 2, 3]);
  assert.deepEqual(seriesOf(rows, "loss").values, [2.9, 2, 1]);
  assert.deepEqual(seriesOf(rows, "eval_loss").values, [null, 2.5, null]);
  assert.deepEqual(namesIn(rows), ["loss", "eval_loss"]);
  assert.equal(withEvents(rows, [{ type: "message", data: {} }]), rows);
});

test("charts are those for which there are values", () => {
  const rows = withEvents(NONE, [metrics({ step: 1, loss: 1, "rewards/chosen": 0, "rewards/rejected": 0 })]);
  assert.deepEqual(
    groupsOf(rows).map(({ names }) => names),
    [["loss"], ["rewards/chosen", "rewards/rejected"]],
  );
});

test("smoothing keeps gaps, a constant and the first value", () => {
  assert.deepEqual(smoothed([1, null, 3], 0), [1, null, 3]);
  const constant = smoothed([2, 2, null, 2], 0.9);
  assert.equal(constant[2], null);
  for (const value of constant.filter((one) => one !== null)) assert.ok(Math.abs(value - 2) < 1e-12);
  // Weights of 0.5 and 1, of the newer twice the older's.
  assert.ok(Math.abs(smoothed([0, 3], 0.5)[1] - 2) < 1e-12);
});

test("a span is of the values that are there", () => {
  assert.deepEqual(spanOf([null, 3, 1, 2, null]), { first: 3, last: 2, least: 1, most: 3 });
  assert.equal(spanOf([null]), undefined);
});

test("runs lie over each other on the steps of all", () => {
  const a = withEvents(NONE, [metrics({ step: 1, loss: 3 }), metrics({ step: 3, loss: 2 })]);
  const b = withEvents(NONE, [metrics({ step: 2, loss: 5 })]);
  const { steps, series } = overlay(
    [
      { name: "a", rows: a },
      { name: "b", rows: b },
    ],
    "loss",
  );
  assert.deepEqual(steps, [1, 2, 3]);
  assert.deepEqual(series[0].values, [3, null, 2]);
  assert.deepEqual(series[1].values, [null, 5, null]);
});

test("what runs were asked for differs by value, not by where they write", () => {
  const found = differences([
    { stage: "sft", lora_rank: 8, dataset: ["a", "b"], output_dir: "x", seed: null },
    { stage: "sft", lora_rank: 16, dataset: ["a", "b"], output_dir: "y", bf16: true },
  ]);
  assert.deepEqual(found, [
    { key: "lora_rank", values: ["8", "16"] },
    { key: "bf16", values: ["", "true"] },
  ]);
});
