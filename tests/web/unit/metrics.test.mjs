import assert from "node:assert/strict";
import { test } from "node:test";
import { bundled } from "./bundled.mjs";

const { parseMetrics, rate, sum } = await bundled("api/metrics.ts");

const TEXT = `# HELP tokens_total Tokens
# TYPE tokens_total counter
tokens_total{model="a"} 10
tokens_total{model="b \\"x\\", {y}\\\\"} 2.5e1 1700000000
limit +Inf
jobs{status="running",kind="train"} 1

not a sample
`;

test("samples are read with their labels, and the rest is passed over", () => {
  const samples = parseMetrics(TEXT);
  assert.equal(samples.length, 4);
  assert.deepEqual(samples[1], { name: "tokens_total", labels: { model: 'b "x", {y}\\' }, value: 25 });
  assert.equal(samples[2].value, Infinity);
  const now = { at: 0, samples };
  assert.equal(sum(now, "tokens_total"), 35);
  assert.equal(sum(now, "jobs", { status: "running" }), 1);
  assert.equal(sum(now, "jobs", { status: "queued" }), undefined);
});

test("a rate is of what grew; a counter that is new or began anew makes no leap", () => {
  const at = (time, text) => ({ at: time, samples: parseMetrics(text) });
  const before = at(1000, 'n{m="a"} 10\nn{m="b"} 100\n');
  const now = at(3000, 'n{m="a"} 20\nn{m="b"} 4\nn{m="c"} 1000\n');
  assert.equal(rate(before, now, "n"), (10 + 4 + 0) / 2);
  assert.equal(rate(undefined, now, "n"), 0);
  assert.equal(rate(now, now, "n"), 0);
});
