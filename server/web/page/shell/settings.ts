// What a person has chosen for the page itself, kept in the browser.
import { effect, signal, type Signal } from "@preact/signals";

/** A value that outlives the page. What is stored and is not of the fallback's type is ignored. */
export function kept<T>(name: string, fallback: T): Signal<T> {
  let value = fallback;
  try {
    const stored = JSON.parse(localStorage.getItem(`hearth.${name}`) ?? "null");
    if (stored !== null && typeof stored === typeof fallback) value = stored;
  } catch {
    // not ours
  }
  const result = signal(value);
  effect(() => localStorage.setItem(`hearth.${name}`, JSON.stringify(result.value)));
  return result;
}

export type Theme = "system" | "light" | "dark";
export const theme = kept<Theme>("theme", "system");

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});
