// The training that is being written: kept in the browser until it is begun anew.
import { computed } from "@preact/signals";
import { go } from "../shell/route";
import { kept } from "../shell/settings";
import { withChoice } from "./choices";
import { resultKeyOf, type Values } from "./fields";
import { jobs } from "./jobs";
import { cleanName, freeName, outputOf } from "./new_specs";
import { readSpec, withValue, type ReadSpec } from "./yaml_spec";

export interface Draft {
  /** The YAML; empty: none is begun. */
  spec: string;
  name: string;
  /** Where its relative paths start; empty: the daemon's own place. */
  directory: string;
}

const NONE: Draft = { spec: "", name: "", directory: "" };
const stored = kept<Draft>("train.draft", NONE);

/** What another version of the page has stored may lack something. */
export const draft = computed<Draft>(() => ({ ...NONE, ...stored.value }));
let lastValues: Values = {};
/** While a text is no YAML, its values are those from before. */
export const read = computed<ReadSpec>((): ReadSpec => {
  const now = readSpec(draft.value.spec);
  if (!now.problem) lastValues = now.values;
  return { ...now, values: lastValues };
});

export function change(changed: Partial<Draft>) {
  stored.value = { ...draft.value, ...changed };
}

export function set(key: string, value: unknown) {
  change({ spec: withChoice(draft.value.spec, key, value) });
}

/** Names the result too, where it lies where this page puts results. */
export function rename(name: string) {
  const key = resultKeyOf(read.value.values);
  const output = String(read.value.values[key] ?? "");
  const isOurs = output === "" || output.startsWith(outputOf(""));
  const spec = isOurs ? withValue(draft.value.spec, key, outputOf(cleanName(name) || "tuned")) : draft.value.spec;
  change({ name, spec });
}

/** A name that no job has. */
export function unusedName(name: string): string {
  return freeName(
    cleanName(name) || "tuned",
    jobs.value.map((job) => job.name ?? ""),
  );
}

export function begin(spec: string, name: string, directory = "") {
  stored.value = { spec, name: "", directory };
  rename(name);
  go("train");
}

export function startAnew() {
  stored.value = NONE;
}
