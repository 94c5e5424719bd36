// A training YAML as text that is edited a key at a time: comments, the order and keys that nobody here knows stay. The text is the one truth; what is
// read from it is read anew after every change.
import { isMap, isScalar, parseDocument, type Document, type Pair, type Scalar } from "yaml";
import { FIELDS, type Values } from "./fields";

export interface Problem {
  message: string;
  /** From 1. */
  line: number | null;
}

export interface ReadSpec {
  values: Values;
  problem: Problem | null;
}

function parse(text: string): Document {
  return parseDocument(text, { prettyErrors: false });
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

export function readSpec(text: string): ReadSpec {
  const document = parse(text);
  const error = document.errors[0];
  if (error) return { values: {}, problem: { message: error.message, line: lineOf(text, error.pos[0]) } };
  if (document.contents === null) return { values: {}, problem: null };
  if (!isMap(document.contents)) return { values: {}, problem: { message: "key: value", line: 1 } };
  try {
    return { values: document.toJS() as Values, problem: null };
  } catch (error) {
    return { values: {}, problem: { message: (error as Error).message, line: null } }; // too many aliases
  }
}

/** A list as LLaMA-Factory reads it: "a, b" is one of two. */
export function listOf(value: unknown): string[] {
  if (value === undefined || value === null || value === "") return [];
  const items = Array.isArray(value) ? value : String(value).split(",");
  return items.map((item) => String(item).trim()).filter((item) => item);
}

type Item = Pair<Scalar, unknown>;

function itemsOf(document: Document): Item[] {
  return isMap(document.contents) ? (document.contents.items as Item[]) : [];
}

function nameOf({ key }: Item): string {
  return isScalar(key) ? String(key.value) : String(key);
}

/** Behind the last key that the form has before this one, so that a section stays together. */
function placeFor(key: string, items: Item[]): number {
  const order = FIELDS.map((field) => field.key);
  const before = order.slice(0, Math.max(0, order.indexOf(key)));
  return items.findLastIndex((item) => before.includes(nameOf(item))) + 1 || items.length;
}

/** The comment before a key (a heading of its section, mostly) stays for the next one. */
function removeItem(items: Item[], at: number) {
  const [removed] = items.splice(at, 1);
  const comment = removed?.key.commentBefore;
  const next = items[at]?.key;
  if (!comment || !next || next.commentBefore) return;
  next.commentBefore = comment;
  next.spaceBefore = removed.key.spaceBefore;
}

/** The text with the key set; `undefined` takes it out. A text that is not YAML stays as it is. */
export function withValue(text: string, key: string, value: unknown): string {
  const { problem } = readSpec(text);
  if (problem) return text;
  const document = parse(text);
  if (document.contents === null) document.contents = document.createNode({}) as never;
  const items = itemsOf(document);
  const at = items.findIndex((item) => nameOf(item) === key);
  if (value === undefined) {
    if (at >= 0) removeItem(items, at);
  } else if (at >= 0) {
    document.set(key, Array.isArray(value) ? document.createNode(value, { flow: true }) : value);
  } else {
    const node = document.createNode(value, { flow: true });
    items.splice(placeFor(key, items), 0, document.createPair(key, node) as Item);
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

export function withValues(text: string, values: Values): string {
  return Object.entries(values).reduce((changed, [key, value]) => withValue(changed, key, value), text);
}

function alone(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? value[0] : value;
}

/** The daemon's YAML has every key: those that are what they would be anyway are left out, but for what the form shows. */
export function shortened(full: string, defaults: string): string {
  const usual = readSpec(defaults).values;
  const values = readSpec(full).values;
  const shown = FIELDS.filter(({ rare, when }) => !rare && (when?.(values) ?? true)).map(({ key }) => key);
  const kept = Object.entries(values).filter(
    ([key, value]) =>
      value !== null && (shown.includes(key) || JSON.stringify(value) !== JSON.stringify(usual[key] ?? null)),
  );
  const document = parse(kept.map(([key, value]) => `${key}: ${JSON.stringify(alone(value))}`).join("\n"));
  for (const { value } of itemsOf(document))
    if (isScalar(value) && typeof value.value === "string") (value as Scalar).type = "PLAIN";
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
