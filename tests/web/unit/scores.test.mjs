import assert from "node:assert/strict";
import { test } from "node:test";
import { bundled } from "./bundled.mjs";

const { readPredictions, readResults, scoreNames, sortedBy } = await bundled("train/scores.ts");
const { pieces } = await bundled("train/segments.ts");

const PREDICTIONS =
  '{"prompt": "p0", "predict": "a", "label": "A"}\n{"prompt": "p1", "predict": "b", "label": "B"}\n{"prom';
const SCORES = '{"index": 1, "bleu-4": 10, "rouge-1": 5}\n{"index": 0, "bleu-4": 20, "rouge-1": 1}\n';

test("predictions find their scores by index, and the worst comes first", () => {
  const rows = readPredictions(PREDICTIONS, SCORES);
  assert.deepEqual(rows[0], {
    index: 0,
    prompt: "p0",
    predict: "a",
    label: "A",
    scores: { "bleu-4": 20, "rouge-1": 1 },
  });
  assert.deepEqual(scoreNames(rows), ["bleu-4", "rouge-1"]);
  assert.deepEqual(
    sortedBy(rows, "bleu-4").map(({ index }) => index),
    [1, 0],
  );
  assert.deepEqual(
    sortedBy(rows, "bleu-4", true).map(({ index }) => index),
    [0, 1],
  );
  assert.deepEqual(
    sortedBy(readPredictions(PREDICTIONS, ""), "bleu-4").map(({ index }) => index),
    [0, 1],
  );
});

test("mean scores lose the word that all of them have", () => {
  assert.deepEqual(readResults('{\n  "predict_bleu-4": 1.5,\n  "predict_runtime": 2\n}\n'), {
    "bleu-4": 1.5,
    runtime: 2,
  });
  assert.deepEqual(readResults(""), {});
});

test("control tokens are told from text, and every character stays", () => {
  const text = "<|im_start|>user\n1 < 2 <b> [INST] x</s>";
  assert.deepEqual(
    pieces(text)
      .filter(({ isControl }) => isControl)
      .map((piece) => piece.text),
    ["<|im_start|>", "[INST]", "</s>"],
  );
  assert.equal(
    pieces(text)
      .map((piece) => piece.text)
      .join(""),
    text,
  );
});
