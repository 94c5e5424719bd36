// What a job logs, step by step, as series for charts.
import type { JobEvent } from "../api/jobs";

/** By step, in order. A step that is computed again (after a pause) replaces what it said before. */
export type Rows = ReadonlyMap<number, Record<string, number>>;

const NOT_SERIES = ["step", "total_steps", "epoch"];

export function withEvents(rows: Rows, events: JobEvent[]): Rows {
  const metrics = events.filter(({ type, data }) => type === "metrics" && Number.isFinite(data.step));
  if (metrics.length === 0) return rows;
  const changed = new Map(rows);
  let isOrdered = true;
  let last = [...changed.keys()].at(-1) ?? -Infinity;
  for (const { data } of metrics) {
    const step = data.step!;
    isOrdered &&= step >= last;
    last = Math.max(last, step);
    changed.set(step, { ...changed.get(step), ...data });
  }
  return isOrdered ? changed : new Map([...changed].sort(([a], [b]) => a - b));
}

export function namesIn(rows: Rows): string[] {
  const names = new Set<string>();
  for (const row of rows.values()) for (const name of Object.keys(row)) names.add(name);
  return [...names].filter((name) => !NOT_SERIES.includes(name));
}

export interface Series {
  name: string;
  /** One for each step; null where it was not logged. */
  values: (number | null)[];
}

export function seriesOf(rows: Rows, name: string): Series {
  const values = [...rows.values()].map((row) => {
    const value = row[name];
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  });
  return { name, values };
}

/** A running mean that forgets: each value counts 1 - weight, those before it the rest; the beginning is not pulled to 0. */
export function smoothed(values: (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return values;
  let mean = 0;
  let counted = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean * weight + value * (1 - weight);
    counted = counted * weight + (1 - weight);
    return mean / counted;
  });
}

export interface Span {
  first: number;
  last: number;
  least: number;
  most: number;
}

/** Undefined where there is no value. */
export function spanOf(values: (number | null)[]): Span | undefined {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return undefined;
  let least = Infinity;
  let most = -Infinity;
  for (const value of known) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return { first: known[0]!, last: known.at(-1)!, least, most };
}

export interface Group {
  /** A text of the page. */
  title: "chartLoss" | "chartRate" | "chartGradient" | "chartRewards" | "chartMargins" | "chartAccuracy" | "chartKl";
  names: string[];
}

const GROUPS: Group[] = [
  { title: "chartLoss", names: ["loss", "eval_loss"] },
  { title: "chartRewards", names: ["rewards/chosen", "rewards/rejected"] },
  { title: "chartMargins", names: ["rewards/margins", "eval_rewards/margins"] },
  {
    title: "chartAccuracy",
    names: ["rewards/accuracies", "eval_rewards/accuracies", "accuracy", "eval_accuracy", "mean_token_accuracy"],
  },
  { title: "chartKl", names: ["kl"] },
  { title: "chartRate", names: ["learning_rate"] },
  { title: "chartGradient", names: ["grad_norm"] },
];

/** The charts for what was logged. */
export function groupsOf(rows: Rows): Group[] {
  const known = new Set(namesIn(rows));
  return GROUPS.map(({ title, names }) => ({ title, names: names.filter((name) => known.has(name)) })).filter(
    ({ names }) => names.length > 0,
  );
}

export interface Overlay {
  steps: number[];
  series: Series[];
}

/** One value of several runs over the steps of all of them. */
export function overlay(runs: { name: string; rows: Rows }[], name: string): Overlay {
  const steps = [...new Set(runs.flatMap(({ rows }) => [...rows.keys()]))].sort((a, b) => a - b);
  const series = runs.map((run) => ({
    name: run.name,
    values: steps.map((step) => {
      const value = run.rows.get(step)?.[name];
      return value !== undefined && Number.isFinite(value) ? value : null;
    }),
  }));
  return { steps, series };
}
