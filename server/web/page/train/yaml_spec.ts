// A training YAML as text that is edited a key at a time: comments, the order and keys that nobody here knows stay. The text is the one truth; what is
// read from it is read anew after every change.
import { isMap, isNode, isScalar, parseDocument, stringify, type Document } from "yaml";
import { FIELDS, type Field, type Values } from "./fields";

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

interface Item {
  key: string;
  /** Where in the text: its line begins, the key does, the key ends, its value does, the line behind it begins. */
  line: number;
  begin: number;
  keyEnd: number;
  valueEnd: number;
  next: number;
}

function itemsOf(text: string, document: Document): Item[] {
  if (!isMap(document.contents)) return [];
  return document.contents.items.flatMap(({ key, value }) => {
    if (!isScalar(key) || !key.range) return [];
    const [begin, keyEnd] = key.range;
    const valueEnd = isNode(value) && value.range ? value.range[1] : keyEnd;
    const written = text.slice(0, valueEnd).trimEnd().length; // a list of lines ends behind its last line's end
    const lineEnd = text.indexOf("\n", Math.max(written, keyEnd));
    const next = lineEnd < 0 ? text.length : lineEnd + 1;
    return [
      { key: String(key.value), line: text.lastIndexOf("\n", begin) + 1, begin, keyEnd, valueEnd: written, next },
    ];
  });
}

/** Among those of its section, in the order of the form; a key that the form does not have comes last. */
function placeFor(key: string, items: Item[], length: number): number {
  const at = FIELDS.findIndex((field) => field.key === key);
  const own = FIELDS[at];
  if (!own) return items.at(-1)?.next ?? length;
  const before = FIELDS.slice(0, at);
  const isIn = (fields: Field[]) => (item: Item) => fields.some((field) => field.key === item.key);
  const isNear = ({ section }: Field) => section === own.section;
  const near = items.findLast(isIn(before.filter(isNear)));
  if (near) return near.next;
  const behind = items.find(isIn(FIELDS.slice(at + 1).filter(isNear)));
  return behind?.line ?? items.findLast(isIn(before))?.next ?? items.at(-1)?.next ?? length;
}

function written(value: unknown): string {
  return stringify(value, { collectionStyle: typeof value === "object" ? "flow" : "any", lineWidth: 0 }).trimEnd();
}

function edited(text: string, items: Item[], key: string, value: unknown): string {
  const item = items.find((one) => one.key === key);
  if (!item) {
    if (value === undefined) return text;
    const at = placeFor(key, items, text.length);
    const [first] = items;
    const indent = first ? text.slice(first.line, first.begin) : "";
    const before = text.slice(0, at);
    return `${before}${before && !before.endsWith("\n") ? "\n" : ""}${indent}${key}: ${written(value)}\n${text.slice(at)}`;
  }
  if (value === undefined) return text.slice(0, item.line) + text.slice(item.next);
  const colon = text.indexOf(":", item.keyEnd);
  return `${text.slice(0, colon + 1)} ${written(value)}${text.slice(Math.max(item.valueEnd, colon + 1))}`;
}

/**
 * The text with the key set; `undefined` takes it out. Nothing else of the text changes, unless it is written in a way (braces around everything) in which
 * a line cannot be changed. A text that is not YAML stays as it is.
 */
export function withValue(text: string, key: string, value: unknown): string {
  const { values, problem } = readSpec(text);
  if (problem) return text;
  const { [key]: _, ...others } = values;
  const wanted = value === undefined ? others : { ...others, [key]: value };
  const changed = edited(text, itemsOf(text, parse(text)), key, value);
  return isDeepEqual(readSpec(changed), wanted) ? changed : stringify(wanted, { lineWidth: 0 });
}

/** Whatever the order of their keys. */
function isDeepEqual({ values, problem }: ReadSpec, wanted: Values): boolean {
  const sorted = (object: Values) => JSON.stringify(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
  return problem === null && sorted(values) === sorted(wanted);
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
  return Object.entries(values)
    .filter(([, value]) => value !== null)
    .filter(([key, value]) => shown.includes(key) || JSON.stringify(value) !== JSON.stringify(usual[key] ?? null))
    .map(([key, value]) => `${key}: ${written(alone(value))}\n`)
    .join("");
}
