// What the page says, in the language of the reader. Each part of the page has its texts beside it, in both languages.
import { effect } from "@preact/signals";
import { kept } from "../shell/settings";

export type Language = "en" | "zh";

export const language = kept<Language>("language", navigator.language.startsWith("zh") ? "zh" : "en");

effect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-Hans" : "en";
});

/** A function from a text's name to the text; "{name}" in it becomes values.name. */
export function translator<Key extends string>(english: Record<Key, string>, chinese: Record<NoInfer<Key>, string>) {
  return (key: Key, values: Record<string, string | number> = {}): string => {
    const text = (language.value === "zh" ? chinese : english)[key];
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  };
}

export function number(value: number, digits = 0): string {
  return value.toLocaleString(language.value, { maximumFractionDigits: digits });
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = value > 0 ? Math.min(Math.floor(Math.log10(value) / 3), units.length - 1) : 0;
  return `${number(value / 1000 ** power, power > 0 ? 1 : 0)} ${units[power]}`;
}

export function when(milliseconds: number): string {
  const date = new Date(milliseconds);
  const time = { hour: "2-digit", minute: "2-digit" } as const;
  const isToday = new Date().toDateString() === date.toDateString();
  return date.toLocaleString(language.value, isToday ? time : { day: "numeric", month: "short", ...time });
}

/** "1:02:03" or "2:03". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
