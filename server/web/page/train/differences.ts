// What several runs were asked for that is not the same.
import type { Values } from "./fields";

/** Where a run writes and how it is called differs always. */
const OF_THE_RUN = ["output_dir", "run_name", "overwrite_output_dir", "resume_from_checkpoint"];

export interface Difference {
  key: string;
  /** One for each run; empty where it has none. */
  values: string[];
}

export function shownValue(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(shownValue).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function differences(runs: Values[]): Difference[] {
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run)))];
  return keys
    .filter((key) => !OF_THE_RUN.includes(key))
    .map((key) => ({ key, values: runs.map((run) => shownValue(run[key])) }))
    .filter(({ values }) => new Set(values).size > 1);
}
