// A field of the form changed by a person: other keys follow where they would have no meaning, or where it needs them.
import { FIELDS, type Values } from "./fields";
import { readSpec, withValues } from "./yaml_spec";

/** Rows that are held out are looked at after every pass over the data, or every so many steps. */
function followers(key: string, value: unknown, { eval_strategy: strategy, eval_dataset: other }: Values): Values {
  if (key === "eval_steps") return { eval_strategy: value === undefined ? "epoch" : "steps" };
  if (key !== "val_size") return {};
  if (value) return strategy === undefined ? { eval_strategy: "epoch" } : {};
  return other ? {} : { eval_strategy: undefined };
}

/** The text with the key set; `undefined` takes it out. */
export function withChoice(text: string, key: string, value: unknown): string {
  const before = readSpec(text).values;
  const changed = withValues(text, { [key]: value, ...followers(key, value, before) });
  const after = readSpec(changed).values;
  const lost = FIELDS.filter(({ when }) => when?.(before) && !when(after)).map((field) => [field.key, undefined]);
  return withValues(changed, Object.fromEntries(lost));
}
